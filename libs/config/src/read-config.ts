import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse as parseYaml, YAMLParseError } from 'yaml';
import type { z } from 'zod';
import { isSecret } from './is-secret.ts';
import { readSecretFiles } from './secret-files.ts';
import { fieldMeta, type SectionName, sections } from './sections.ts';
import {
  type ServiceConfig,
  type ServiceName,
  type SettingsRead,
  serviceConfigs,
  settingsRead,
} from './services.ts';

export interface ConfigProblem {
  /** Where the bad value came from: a file, or the name of an environment variable. */
  origin: string;
  /** `section.key`. */
  path: string;
  message: string;
}

/** Every problem at once, so that one round of corrections is enough. */
export class InvalidConfiguration extends Error {
  readonly problems: readonly ConfigProblem[];

  constructor(service: string, problems: readonly ConfigProblem[]) {
    const lines = problems.map(({ path, message, origin }) => `  ${path}: ${message} (from ${origin})`);
    super(
      `The configuration of ${service} has ${problems.length} problem${problems.length === 1 ? '' : 's'}:\n${lines.join('\n')}`,
    );
    this.name = 'InvalidConfiguration';
    this.problems = problems;
  }
}

interface ConfigSources {
  env: NodeJS.ProcessEnv;
  /** Folder with `<service>.yaml`; a missing file is fine. */
  confDir?: string;
}

type Values = Record<string, Record<string, unknown>>;
type Origins = Map<string, string>;

/**
 * Defaults < `conf/<service>.yaml` < plain environment names < `VORTEX__SECTION__KEY`. Of a secret, `NAME_FILE`
 * stands for `NAME` (secret-files.ts).
 * @throws InvalidConfiguration listing every problem.
 */
export function readServiceConfig<S extends ServiceName>(
  service: S,
  sources: ConfigSources,
): ServiceConfig<S> {
  const schema = serviceConfigs[service];
  const wanted = settingsRead(service);
  const problems: ConfigProblem[] = [];
  const origins: Origins = new Map();
  const values: Values = Object.fromEntries([...wanted.keys()].map((name) => [name, {}]));

  mergeFile(service, sources.confDir, values, origins, problems);
  mergeEnvironment(wanted, readSecretFiles(wanted, sources.env, problems), values, origins, problems);

  const parsed = schema.safeParse(values);
  if (!parsed.success) {
    for (const issue of parsed.error.issues) {
      const path = issue.path.map(String).join('.');
      if (issue.code === 'unrecognized_keys') {
        for (const key of issue.keys) {
          const full = path === '' ? key : `${path}.${key}`;
          problems.push({
            path: full,
            message: 'there is no such setting',
            origin: origins.get(full) ?? `conf/${service}.yaml`,
          });
        }
        continue;
      }
      const [section, key] = issue.path.map(String);
      problems.push({
        path,
        message: isSecret(section, key) ? 'is not valid (its value is not shown)' : issue.message,
        origin: origins.get(path) ?? `conf/${service}.yaml`,
      });
    }
  }
  if (problems.length > 0) throw new InvalidConfiguration(service, problems);
  return deepFreeze(parsed.data) as ServiceConfig<S>;
}

function mergeFile(
  service: ServiceName,
  confDir: string | undefined,
  values: Values,
  origins: Origins,
  problems: ConfigProblem[],
): void {
  if (confDir === undefined) return;
  const file = join(confDir, `${service}.yaml`);
  if (!existsSync(file)) return;
  const origin = `conf/${service}.yaml`;
  let content: unknown;
  try {
    content = parseYaml(readFileSync(file, 'utf8')) ?? {};
  } catch (error) {
    const where = error instanceof YAMLParseError && error.linePos ? ` at line ${error.linePos[0].line}` : '';
    problems.push({ origin, path: '(file)', message: `is not valid YAML${where}` });
    return;
  }
  if (!isRecord(content)) {
    problems.push({ origin, path: '(file)', message: 'must be a mapping of sections' });
    return;
  }
  for (const [section, fields] of Object.entries(content)) {
    if (!isRecord(fields)) {
      problems.push({ origin, path: section, message: 'must be a mapping of settings' });
      continue;
    }
    for (const [key, value] of Object.entries(fields)) {
      values[section] = { ...values[section], [key]: value };
      origins.set(`${section}.${key}`, origin);
    }
    values[section] ??= {};
  }
}

function mergeEnvironment(
  wanted: SettingsRead,
  env: NodeJS.ProcessEnv,
  values: Values,
  origins: Origins,
  problems: ConfigProblem[],
): void {
  const set = (section: string, key: string, value: string, origin: string) => {
    values[section] = { ...values[section], [key]: value };
    origins.set(`${section}.${key}`, origin);
  };
  for (const [section, read] of wanted) {
    for (const [key, schema] of Object.entries(sections[section].shape)) {
      if (!read.includes(key)) continue;
      for (const name of fieldMeta.get(schema as z.ZodType)?.env ?? []) {
        const value = env[name];
        if (value !== undefined && value !== '') set(section, key, value, name);
      }
    }
  }
  if (wanted.has('redis') && !env.REDIS_URL) {
    // Their names stand in environment-read.ts, too.
    const address =
      env.REDIS_ADDR ?? (env.REDIS_HOST ? `${env.REDIS_HOST}:${env.REDIS_PORT ?? '6379'}` : undefined);
    if (address) set('redis', 'url', `redis://${address}`, env.REDIS_ADDR ? 'REDIS_ADDR' : 'REDIS_HOST');
  }
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith('VORTEX__') || value === undefined) continue;
    const [section, key, ...rest] = name.slice('VORTEX__'.length).toLowerCase().split('__');
    const known = section !== undefined && section in sections ? sections[section as SectionName] : undefined;
    if (known === undefined || key === undefined || rest.length > 0 || !(key in known.shape)) {
      problems.push({
        origin: name,
        path: [section, key, ...rest].join('.'),
        message: 'there is no such setting',
      });
    } else if (wanted.get(section as SectionName)?.includes(key) === true) {
      set(section as string, key, value, name);
    }
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const inner of Object.values(value)) deepFreeze(inner);
    Object.freeze(value);
  }
  return value;
}
