export { describeSettings, maskSecrets, type SettingRow, secretValues } from './describe.ts';
export { environmentRead } from './environment-read.ts';
export { keepPrivate, tightenFolder } from './keep-private.ts';
export { type AuthMode, isLoopback, mayListen } from './may-listen.ts';
export { type ConfigProblem, InvalidConfiguration, readServiceConfig } from './read-config.ts';
export { sections } from './sections.ts';
export {
  type ServiceConfig,
  type ServiceName,
  serviceConfigs,
  serviceNames,
  settingsRead,
} from './services.ts';
export { type RedisTls, withTls } from './with-tls.ts';
