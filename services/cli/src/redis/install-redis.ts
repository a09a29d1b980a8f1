import { spawn } from 'node:child_process';
import { accessSync, constants, existsSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { CommandProblem } from '../problem.ts';
import type { Terminal } from '../terminal.ts';
import { findRedis, type RedisBinary } from './find-redis.ts';

export interface InstallPlan {
  manager: string;
  /** Run in this order; the first package whose commands all succeed and bring a new enough server wins. */
  attempts: string[][][];
  needsRoot: boolean;
}

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
  const plan = installPlans.find(({ manager }) => onPath(manager));
  const isRoot = process.getuid?.() === 0;
  if (plan === undefined || (plan.needsRoot && !isRoot)) throw notInstalled(lack, plan, isRoot);

  terminal.note(`${lack} Redis ≥ 7.0 (or Valkey) carries the queues.`);
  const commands = plan.attempts[0]?.map((words) => words.join(' ')).join(' && ') ?? '';
  if (terminal.interactive && !options.yes && !(await terminal.confirm(`Install it with "${commands}"?`))) {
    throw notInstalled('Nothing was installed.', plan, isRoot);
  }
  for (const attempt of plan.attempts) {
    const failure = await install(attempt, terminal);
    const { found } = findRedis();
    if (found !== null) return found;
    if (failure !== null) terminal.note(`  ${failure}`);
  }
  throw notInstalled(`${plan.manager} did not bring a server that is new enough.`, undefined, isRoot);
}

async function install(commands: readonly string[][], terminal: Terminal): Promise<string | null> {
  const undo = forbidServiceStart();
  try {
    for (const words of commands) {
      const step = terminal.step(words.join(' '));
      const failure = await run(words, (line) => step.update(line));
      if (failure === null) {
        step.done();
        continue;
      }
      step.fail();
      return failure;
    }
    return null;
  } finally {
    await undo();
  }
}

/**
 * Debian's packages start a server on port 6379 and again at every boot; nobody asked for one. Its policy
 * file is the documented way to say no during an installation; the unit is disabled afterwards.
 */
function forbidServiceStart(): () => Promise<void> {
  const policy = '/usr/sbin/policy-rc.d';
  const ours = process.getuid?.() === 0 && existsSync('/usr/sbin') && onPath('dpkg') && !existsSync(policy);
  if (ours) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  return async () => {
    if (!ours) return;
    rmSync(policy, { force: true });
    if (!onPath('systemctl')) return;
    for (const unit of ['redis-server', 'valkey-server']) await run(['systemctl', 'disable', unit], () => {});
  };
}

function run(words: readonly string[], onLine: (line: string) => void): Promise<string | null> {
  const [command = '', ...args] = words;
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    });
    let last = '';
    const take = (piece: string) => {
      const line = piece.trim().split('\n').at(-1)?.trim() ?? '';
      if (line === '') return;
      last = line;
      onLine(line);
    };
    child.stdout.setEncoding('utf8').on('data', take);
    child.stderr.setEncoding('utf8').on('data', take);
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code) =>
      resolve(code === 0 ? null : `${words.join(' ')}: ${last || `exit code ${code}`}`),
    );
  });
}

function notInstalled(lack: string, plan: InstallPlan | undefined, isRoot: boolean): CommandProblem {
  const typed = plan?.attempts[0]?.map((words) =>
    (isRoot || !plan.needsRoot ? words : ['sudo', ...words]).join(' '),
  );
  return new CommandProblem(`${lack} Vortex needs Redis ≥ 7.0 or Valkey ≥ 7.2.`, {
    ways: [
      typed === undefined
        ? 'Install redis-server or valkey-server (https://redis.io/docs/latest/operate/oss_and_stack/install/) so that it is on the PATH'
        : `Type: ${typed.join(' && ')}`,
      'Or use one that runs already: REDIS_URL=redis://host:6379 CACHE_REDIS_URL=redis://other:6379 and start again',
    ],
  });
}

function onPath(name: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
