import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { repositoryRoot } from '../folders.ts';
import { entryOf, nodeFlags } from '../service-plan.ts';
import type { LoadOrder, LoadResult } from './ingest-accept-load.ts';
import { driveByWrk, isWrkThere } from './ingest-accept-wrk.ts';
import { freePort } from './private-stack.ts';

/**
 * The processes of `vortex bench ingest-accept`: our gateway, the bare server beside it, the load generator. Each pushes
 * its end on `releases` as it starts.
 */
export interface RunningServer {
  /** Absent: none is asked for. */
  key?: string;
  port: number;
  stop(): Promise<void>;
}

export async function startVortex(
  redisUrl: string,
  folder: string,
  releases: (() => unknown)[],
): Promise<RunningServer> {
  const port = await freePort();
  const log = openSync(join(folder, 'gateway.log'), 'a');
  const child = spawn(process.execPath, [...nodeFlags('gateway'), ...profilerFlags(), entryOf('gateway')], {
    cwd: repositoryRoot,
    stdio: ['ignore', log, 'inherit'],
    env: {
      ...process.env,
      VORTEX__DATA__DIR: folder,
      VORTEX__REDIS__URL: redisUrl,
      VORTEX__HTTP__HOST: '127.0.0.1',
      VORTEX__HTTP__PORT: String(port),
    },
  });
  const server = { port, stop: () => end(child) };
  releases.push(server.stop);
  for (const until = performance.now() + 60_000; ; await delay(100)) {
    if (child.exitCode !== null) throw new Error('the gateway ended before it was ready');
    if (performance.now() > until) throw new Error('the gateway was not ready within a minute');
    const ready = await fetch(`http://127.0.0.1:${port}/healthz`).catch(() => null);
    if (ready?.ok) return { ...server, key: await makeKey(port) };
  }
}

/** Measured as an instance is run that others may reach: with a key. */
async function makeKey(port: number): Promise<string> {
  const reply = await fetch(`http://127.0.0.1:${port}/api/keys`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ scopes: ['ingest', 'admin'] }),
  });
  const made = (await reply.json()) as { key?: string };
  if (made.key === undefined) throw new Error(`the bench was given no key: ${JSON.stringify(made)}`);
  return made.key;
}

/** VORTEX_BENCH_CPU_PROF=<folder>: where the gateway leaves a CPU profile when it ends. */
function profilerFlags(): string[] {
  const folder = process.env.VORTEX_BENCH_CPU_PROF;
  return folder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${folder}`];
}

export async function startBare(redisUrl: string, releases: (() => unknown)[]): Promise<RunningServer> {
  const child = fork(scriptOf('ingest-accept-bare'), [redisUrl]);
  const stop = () => end(child);
  releases.push(stop);
  const { port } = await firstMessage<{ port: number }>(child);
  return { port, stop };
}

export async function startLoad(
  folder: string,
  releases: (() => unknown)[],
): Promise<{ generator: 'wrk' | 'own'; drive: (order: LoadOrder) => Promise<LoadResult> }> {
  if (await isWrkThere()) return { generator: 'wrk', drive: (order) => driveByWrk(order, folder) };
  const child = fork(scriptOf('ingest-accept-load'));
  releases.push(() => end(child));
  await firstMessage(child);
  return {
    generator: 'own',
    drive(order) {
      const result = firstMessage<LoadResult>(child);
      child.send(order);
      return result;
    },
  };
}

function scriptOf(name: string): URL {
  return new URL(`./${name}${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);
}

async function firstMessage<Message>(child: ChildProcess): Promise<Message> {
  const gone = new AbortController();
  const died = once(child, 'exit', { signal: gone.signal }).then(([code]) => {
    throw new Error(`a process of the bench ended with ${code}; its own message is above`);
  });
  died.catch(() => undefined);
  try {
    const [message] = await Promise.race([once(child, 'message'), died]);
    return message as Message;
  } finally {
    gone.abort();
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), 5000);
  await gone;
  clearTimeout(late);
}
