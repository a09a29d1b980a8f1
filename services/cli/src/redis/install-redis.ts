import { type InstallPlan, installPackage, planFor, typedBy } from '../install-package.ts';
import { CommandProblem } from '../problem.ts';
import type { Terminal } from '../terminal.ts';
import { findRedis, type RedisBinary } from './find-redis.ts';

/** What each package manager calls it. Valkey second: some distributions have only that, or an old Redis. */
export const installPlans: readonly InstallPlan[] = [
  {
    manager: 'apt-get',
    needsRoot: true,
    attempts: ['redis-server', 'valkey-server'].map((name) => [
      ['apt-get', 'update'],
      ['apt-get', 'install', '-y', '--no-install-recommends', name],
    ]),
  },
  {
    manager: 'dnf',
    needsRoot: true,
    attempts: ['valkey', 'redis'].map((name) => [['dnf', 'install', '-y', name]]),
  },
  {
    manager: 'apk',
    needsRoot: true,
    attempts: ['valkey', 'redis'].map((name) => [['apk', 'add', '--no-cache', name]]),
  },
  {
    manager: 'brew',
    needsRoot: false,
    attempts: ['redis', 'valkey'].map((name) => [['brew', 'install', name]]),
  },
];

/**
 * Finds a Redis or Valkey server, or installs one where this user may: never by sudo, announced, and asked
 * for on a terminal unless `yes`.
 * @throws CommandProblem saying exactly what to type
 */
export async function ensureRedis(terminal: Terminal, options: { yes: boolean }): Promise<RedisBinary> {
  const before = findRedis();
  if (before.found !== null) return before.found;
  const lack =
    before.tooOld.length === 0
      ? 'Neither redis-server nor valkey-server is installed.'
      : `${before.tooOld.map(({ path, version }) => `${path} is ${version}`).join(', ')}: too old.`;
  const { plan, isRoot, mayRun } = planFor(installPlans);
  if (plan === undefined || !mayRun) throw notInstalled(lack, plan, isRoot);

  terminal.note(`${lack} Redis ≥ 7.0 (or Valkey) carries the queues.`);
  const commands = typedBy(plan, isRoot);
  if (terminal.interactive && !options.yes && !(await terminal.confirm(`Install it with "${commands}"?`))) {
    throw notInstalled('Nothing was installed.', plan, isRoot);
  }
  for (const attempt of plan.attempts) {
    const failure = await installPackage(attempt, terminal, ['redis-server', 'valkey-server']);
    const { found } = findRedis();
    if (found !== null) return found;
    if (failure !== null) terminal.note(`  ${failure}`);
  }
  throw notInstalled(`${plan.manager} did not bring a server that is new enough.`, undefined, isRoot);
}

function notInstalled(lack: string, plan: InstallPlan | undefined, isRoot: boolean): CommandProblem {
  return new CommandProblem(`${lack} Vortex needs Redis ≥ 7.0 or Valkey ≥ 7.2.`, {
    ways: [
      plan === undefined
        ? 'Install redis-server or valkey-server (https://redis.io/docs/latest/operate/oss_and_stack/install/) so that it is on the PATH'
        : `Type: ${typedBy(plan, isRoot)}`,
      'Or use one that runs already: REDIS_URL=redis://host:6379 CACHE_REDIS_URL=redis://other:6379 and start again',
    ],
  });
}
