import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { freePort } from './free-port.ts';

/** A Redis (or Valkey) of a test's own: free loopback port, temporary folder, gone after `stop`. */
export interface PrivateRedis {
  url: string;
  port: number;
  pid: number;
  /** Where its append-only file is, when it keeps one. */
  folder: string;
  /** SIGKILL, as a crash would be; `start` brings it back on the same port and folder. */
  kill(): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

interface PrivateRedisOptions {
  /** The server program; when absent VORTEX_TEST_REDIS_SERVER, else redis-server or valkey-server in PATH. */
  serverPath?: string;
  /** Further arguments, e.g. `['--appendonly', 'yes']`. */
  args?: string[];
}

export async function startPrivateRedis(options: PrivateRedisOptions = {}): Promise<PrivateRedis> {
  const program = options.serverPath ?? findServer();
  const folder = mkdtempSync(join(tmpdir(), 'vortex-redis-'));
  const port = await freePort();
  const url = `redis://127.0.0.1:${port}`;
  let child: ChildProcess | undefined;

  async function start(): Promise<void> {
    const settings = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', ''];
    const args = [
      ...settings,
      '--databases',
      '512',
      '--maxmemory-policy',
      'noeviction',
      ...(options.args ?? []),
    ];
    const started = spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit'] });
    child = started;
    await answers(url, started);
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    const running = child;
    child = undefined;
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
    const gone = once(running, 'exit');
    running.kill(signal);
    await gone;
  }

  await start();
  return {
    url,
    port,
    folder,
    get pid() {
      return child?.pid ?? 0;
    },
    kill: () => end('SIGKILL'),
    start,
    async stop() {
      await end('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function findServer(): string {
  const { VORTEX_TEST_REDIS_SERVER: chosen } = process.env;
  if (chosen !== undefined) return chosen;
  for (const program of ['redis-server', 'valkey-server']) {
    if (spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0) return program;
  }
  throw new Error(
    'neither redis-server nor valkey-server is in PATH; install one (7.0 or later) and run again',
  );
}

async function answers(url: string, child: ChildProcess): Promise<void> {
  const client = new Redis(url, { retryStrategy: () => 20, maxRetriesPerRequest: null });
  client.on('error', () => undefined);
  const exited = once(child, 'exit').then(() => {
    throw new Error(`the Redis for ${url} ended before it answered`);
  });
  // It may also end long after it has answered, when the race is over.
  exited.catch(() => undefined);
  try {
    const late = delay(30_000, undefined, { ref: false }).then(() => {
      throw new Error(`the Redis for ${url} did not answer within 30 s`);
    });
    await Promise.race([client.ping(), exited, late]);
  } finally {
    client.disconnect();
  }
}
