import { join } from 'node:path';
import {
  type ConfigProblem,
  describeSettings,
  InvalidConfiguration,
  readServiceConfig,
  type ServiceConfig,
  type ServiceName,
  serviceNames,
} from '@vortex/config';
import { repositoryRoot } from './folders.ts';
import { CommandProblem } from './problem.ts';
import { settingsOfTheLauncher } from './service-plan.ts';

export const confDir = join(repositoryRoot, 'conf');

/** Of this process, for one service each: set by the launcher anew. */
const ownNames = new Set(['PORT', 'WORKER_NAME', 'VORTEX_LAUNCHER', 'VORTEX_API_KEY', 'VORTEX__DATA__DIR']);
const ownPrefixes = [
  ...['VORTEX__HTTP__', 'VORTEX__WORKER__NAME', 'VORTEX__MOCK_LLM__PORTS'],
  ...['VORTEX__GATEWAY__REUSE_PORT', 'VORTEX__GATEWAY__PROBE_PORT'],
];

export type Settings = { [S in ServiceName]: ServiceConfig<S> };

export interface CheckedSettings {
  /** What the processes' environments are taken from: the launcher's own plus the `--set` values. */
  environment: Record<string, string>;
  settings: Settings;
}

/**
 * `--set section.key=value` as the environment says it: `VORTEX__SECTION__KEY`. A problem is one that is
 * malformed, unknown, or the launcher's own.
 */
export function parseSets(sets: readonly string[]): {
  environment: Record<string, string>;
  problems: string[];
} {
  const known = new Set(describeSettings().map(({ section, key }) => `${section}.${key}`));
  const problems: string[] = [];
  const environment: Record<string, string> = {};
  for (const set of sets) {
    const [, section, key, value] = /^([a-z_]+)\.([a-z_]+)=(.*)$/s.exec(set) ?? [];
    if (section === undefined || key === undefined || value === undefined) {
      problems.push(`--set ${set}: must look like section.key=value`);
      continue;
    }
    const name = `${section}.${key}`;
    const option = settingsOfTheLauncher[name];
    if (!known.has(name))
      problems.push(`--set ${name}: there is no such setting${didYouMean(name, [...known])}`);
    else if (option !== undefined) problems.push(`--set ${name}: this is set by ${option}`);
    else environment[`VORTEX__${section.toUpperCase()}__${key.toUpperCase()}`] = value;
  }
  return { environment, problems };
}

/**
 * Reads the configuration of every service before one is started.
 * @throws CommandProblem (exit 2) with all problems of all services at once
 */
export function checkSettings(
  sets: readonly string[],
  env: NodeJS.ProcessEnv,
  folder: string = confDir,
): CheckedSettings {
  const { environment: fromSets, problems } = parseSets(sets);
  const environment: Record<string, string> = {};
  for (const [name, value] of Object.entries({ ...env, ...fromSets })) {
    const isOwn = ownNames.has(name) || ownPrefixes.some((prefix) => name.startsWith(prefix));
    if (value !== undefined && !isOwn) environment[name] = value;
  }

  const settings: Partial<Record<ServiceName, unknown>> = {};
  for (const service of serviceNames) {
    try {
      settings[service] = readServiceConfig(service, { env: environment, confDir: folder });
    } catch (error) {
      if (!(error instanceof InvalidConfiguration)) throw error;
      problems.push(...error.problems.map((problem) => describe(problem, fromSets)));
    }
  }
  if (problems.length > 0) throw invalid([...new Set(problems)]);
  return { environment, settings: settings as Settings };
}

function describe({ path, message, origin }: ConfigProblem, fromSets: Record<string, string>): string {
  return origin in fromSets ? `--set ${path}: ${message}` : `${path}: ${message} (from ${origin})`;
}

function invalid(problems: readonly string[]): CommandProblem {
  const count = problems.length === 1 ? 'one problem' : `${problems.length} problems`;
  return new CommandProblem(`The configuration has ${count}; nothing was started.`, {
    ways: problems,
    exitCode: 2,
  });
}

function didYouMean(name: string, known: readonly string[]): string {
  const nearest = known
    .map((candidate) => ({ candidate, distance: editDistance(name, candidate) }))
    .sort((one, other) => one.distance - other.distance)[0];
  return nearest !== undefined && nearest.distance <= 4
    ? `; did you mean ${nearest.candidate}?`
    : ' (all of them: docs/03-configuration.md)';
}

function editDistance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let line = 1; line <= one.length; line += 1) {
    const next = [line];
    for (let column = 1; column <= other.length; column += 1) {
      const replaced = (row[column - 1] ?? 0) + (one[line - 1] === other[column - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[column] ?? 0) + 1, (next[column - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
