import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { repositoryRoot } from '../folders.ts';
import type { ContainerPlan } from './plan-containers.ts';

export interface RunningContainer {
  plan: ContainerPlan;
  startedAt: number;
  /** Resolves with the exit code of the program, 128 and more when a signal ended it. */
  ended: Promise<number>;
  endedWith(): number | null;
  /** SIGTERM to the program itself, as an engine does; SIGKILL after the grace period. Returns its exit code. */
  stop(): Promise<{ exitCode: number; drainMs: number }>;
  kill(): void;
  status(): ProcessStatus;
}

/** As the kernel sees the program. */
export interface ProcessStatus {
  userId: number;
  capabilities: string;
  noNewPrivileges: boolean;
  residentMegabytes: number;
}

const enter = join(repositoryRoot, 'deploy', 'enter-image.sh');
const healthTimeoutMs = 5000;

export function startContainer(plan: ContainerPlan, rootFolder: string, logFile: string): RunningContainer {
  const startedAt = performance.now();
  const child = spawnIn(plan, plan.command, rootFolder);
  const log = createWriteStream(logFile);
  child.stdout?.pipe(log, { end: false });
  child.stderr?.pipe(log, { end: false });
  let code: number | null = null;
  const ended = new Promise<number>((resolve) => {
    child.once('error', () => resolve(127));
    child.once('close', (exitCode, signal) => resolve(exitCode ?? 128 + (signal === 'SIGKILL' ? 9 : 15)));
  });
  ended.then((exitCode) => {
    code = exitCode;
    log.end();
  });
  // unshare stays as the parent; the program is its only child, and process 1 of its namespace.
  const programPid = (): number | undefined => {
    if (child.pid === undefined || !plan.fromImage) return child.pid;
    const children = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim();
    return children === '' ? undefined : Number(children.split(' ')[0]);
  };
  const signal = (name: NodeJS.Signals) => {
    try {
      const pid = code === null ? programPid() : undefined;
      if (pid !== undefined) process.kill(pid, name);
    } catch {
      // It ended between the look and the signal.
    }
  };
  return {
    plan,
    startedAt,
    ended,
    endedWith: () => code,
    async stop() {
      const before = performance.now();
      signal('SIGTERM');
      const late = setTimeout(() => signal('SIGKILL'), plan.graceMs);
      const exitCode = await ended;
      clearTimeout(late);
      return { exitCode, drainMs: Math.round(performance.now() - before) };
    },
    kill: () => void child.kill('SIGKILL'),
    status: () => readStatus(programPid() ?? 0),
  };
}

/** Runs the health check as HEALTHCHECK would, until it succeeds. False: the container ended, or time is over. */
export async function becomesHealthy(
  container: RunningContainer,
  rootFolder: string,
  patienceMs: number,
): Promise<boolean> {
  const { plan } = container;
  if (plan.healthCommand === null) return (await container.ended) === 0;
  const until = performance.now() + patienceMs;
  while (performance.now() < until && container.endedWith() === null) {
    if ((await runOnce(plan, plan.healthCommand, rootFolder)).exitCode === 0) return true;
    await delay(250);
  }
  return false;
}

/** A command in the same surroundings, to its end. */
export function runOnce(
  plan: ContainerPlan,
  command: readonly string[],
  rootFolder: string,
  patienceMs = healthTimeoutMs,
): Promise<{ exitCode: number; output: string }> {
  return new Promise((resolve) => {
    const child = spawnIn(plan, command, rootFolder);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (piece: string) => {
        output += piece;
      });
    }
    const late = setTimeout(() => child.kill('SIGKILL'), patienceMs);
    child.once('error', () => resolve({ exitCode: 127, output }));
    child.once('close', (exitCode) => {
      clearTimeout(late);
      resolve({ exitCode: exitCode ?? 137, output });
    });
  });
}

function spawnIn(plan: ContainerPlan, command: readonly string[], rootFolder: string): ChildProcess {
  if (!plan.fromImage) {
    // A server of this machine, as the same numeric user.
    const [user = '', group = ''] = plan.user.split(':');
    return spawn(
      'setpriv',
      ['--no-new-privs', `--reuid=${user}`, `--regid=${group}`, '--clear-groups', ...command],
      {
        cwd: '/',
        env: { PATH: process.env.PATH },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
  }
  const words = [
    '--mount',
    '--pid',
    '--ipc',
    '--fork',
    '--kill-child',
    enter,
    rootFolder,
    plan.user,
    plan.folder,
  ];
  return spawn('unshare', [...words, ...plan.mounts.flat(), '--', ...command], {
    cwd: '/',
    env: plan.environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

function readStatus(pid: number): ProcessStatus {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const field = (name: string) => new RegExp(`^${name}:\\s+(\\S+)`, 'm').exec(status)?.[1] ?? '';
  return {
    userId: Number(field('Uid')),
    capabilities: field('CapEff'),
    noNewPrivileges: field('NoNewPrivs') === '1',
    residentMegabytes: Math.round(Number(field('VmRSS')) / 1024),
  };
}
