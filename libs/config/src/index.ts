export { describeSettings, maskSecrets, type SettingRow } from './describe.ts';
export {
  type ConfigProblem,
  type ConfigSources,
  InvalidConfiguration,
  readServiceConfig,
} from './read-config.ts';
export { type SectionName, sections } from './sections.ts';
export { type ServiceConfig, type ServiceName, serviceConfigs, serviceNames } from './services.ts';
