import { maskSecrets, serviceNames } from '@vortex/config';
import { dataFolder } from './folders.ts';
import { CommandProblem } from './problem.ts';
import { checkSettings } from './settings.ts';

export interface ConfigOptions {
  data?: string;
  service?: string;
  set: readonly string[];
  json: boolean;
}

/**
 * What each service would read now: defaults, `conf/`, environment, `--set`, `--data`. Ports that the launcher
 * chooses are not among it.
 * @throws CommandProblem (exit 2) for an unknown service, or with all problems of the settings.
 */
export function printConfig(options: ConfigOptions, env: NodeJS.ProcessEnv = process.env): void {
  console.log(configText(options, env));
}

export function configText({ data, service, set, json }: ConfigOptions, env: NodeJS.ProcessEnv): string {
  const wanted = serviceNames.filter((name) => service === undefined || name === service);
  if (wanted.length === 0) {
    throw new CommandProblem(`There is no service ${service}.`, {
      ways: [`There are ${serviceNames.join(', ')}`],
      exitCode: 2,
    });
  }
  const { settings } = checkSettings(set, env);
  const dir = dataFolder(data);
  const shown = Object.fromEntries(
    wanted.map((name) => {
      const of = settings[name];
      return [name, maskSecrets('data' in of ? { ...of, data: { ...of.data, dir } } : of)];
    }),
  );
  if (json) return JSON.stringify(shown, null, 2);
  return Object.entries(shown)
    .flatMap(([name, sections]) => [
      `# ${name}`,
      ...Object.entries(sections).flatMap(([section, fields]) =>
        Object.entries(fields).map(([key, value]) => `${section}.${key}=${valueText(value)}`),
      ),
      '',
    ])
    .join('\n')
    .trimEnd();
}

function valueText(value: unknown): string {
  if (value === null) return '';
  return Array.isArray(value) ? value.join(',') : String(value);
}
