import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  accessSync,
  chownSync,
  constants,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from './free-port.ts';

/** A PostgreSQL of a test's own: free loopback port, temporary folder, gone after `stop` or with this process. */
export interface PrivatePostgres {
  /** Of an empty database, for a user who may do everything. */
  url: string;
  port: number;
  /** Ends as a crash would; `start` brings it back on the same port and folder. */
  kill(): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

interface PrivatePostgresOptions {
  /** Where `initdb` and `postgres` are; searched when absent. */
  programs?: string;
  /** True: commits reach the disk, as in production. False by default: tests end with the server. */
  durable?: boolean;
}

/** What to say where there is none. */
export const postgresMissing =
  'PostgreSQL is not installed here: its tests were left out. Install it (apt-get install postgresql) and run again';

/** @throws Error when there is no server program, or it does not start. */
export async function startPrivatePostgres(options: PrivatePostgresOptions = {}): Promise<PrivatePostgres> {
  const programs = options.programs ?? findPostgres();
  if (programs === null) throw new Error(postgresMissing);
  const owner = ownerOfServer();
  const folder = mkdtempSync(join(tmpdir(), 'vortex-postgres-'));
  if (owner !== null) chownSync(folder, owner.uid, owner.gid);
  const data = join(folder, 'data');
  const port = await freePort();
  let child: ChildProcess | undefined;

  const made = spawnSync(
    join(programs, 'initdb'),
    ['-D', data, '-U', 'vortex', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'],
    { cwd: folder, encoding: 'utf8', timeout: 60_000, ...owner },
  );
  if (made.status !== 0) {
    rmSync(folder, { recursive: true, force: true });
    throw new Error(`initdb failed: ${made.stderr || made.error?.message || `exit code ${made.status}`}`);
  }

  async function start(): Promise<void> {
    const settings = {
      port,
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
      fsync: options.durable === true ? 'on' : 'off',
      // What it does on its own would move what a test watches.
      autovacuum: 'off',
      log_min_messages: 'panic',
      max_connections: 100,
      shared_buffers: '32MB',
    };
    const words = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const started = spawn(join(programs ?? '', 'postgres'), ['-D', data, ...words], {
      ...{ cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] },
      ...owner,
    });
    child = started;
    await answers(data, started);
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    const running = child;
    child = undefined;
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
    const gone = once(running, 'exit');
    running.kill(signal);
    await gone;
  }

  // SIGQUIT: at once, with all its processes.
  const endWithUs = () => child?.kill('SIGQUIT');
  process.once('exit', endWithUs);

  try {
    await start();
  } catch (error) {
    await end('SIGQUIT');
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
  return {
    url: `postgres://vortex@127.0.0.1:${port}/postgres`,
    port,
    kill: () => end('SIGQUIT'),
    start,
    async stop() {
      process.off('exit', endWithUs);
      await end('SIGQUIT');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The folder with `initdb` and `postgres`; Debian keeps them off the PATH, one folder per major version. */
export function findPostgres(path: string = process.env.PATH ?? ''): string | null {
  const onPath = path.split(delimiter).filter(Boolean);
  const linked = onPath.flatMap((folder) => {
    try {
      return [dirname(realpathSync(join(folder, 'postgres')))];
    } catch {
      return [];
    }
  });
  const versioned = ['/usr/lib/postgresql', '/opt/homebrew/opt', '/usr/local/opt', '/usr/libexec']
    .flatMap((parent) => foldersIn(parent).map((name) => join(parent, name)))
    .filter((folder) => /postgresql/.test(folder))
    .sort((one, other) => other.localeCompare(one, 'en', { numeric: true }))
    .flatMap((folder) => [join(folder, 'bin'), folder]);
  return [...linked, ...versioned].find((folder) => has(folder, 'initdb') && has(folder, 'postgres')) ?? null;
}

function has(folder: string, program: string): boolean {
  try {
    accessSync(join(folder, program), constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function foldersIn(parent: string): string[] {
  try {
    return readdirSync(parent);
  } catch {
    return [];
  }
}

/** PostgreSQL refuses to run as root: then as the user its package made. Null: as whoever we are. */
function ownerOfServer(): { uid: number; gid: number } | null {
  if (process.getuid?.() !== 0) return null;
  const idOf = (flag: string) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  try {
    return { uid: idOf('-u'), gid: idOf('-g') };
  } catch {
    throw new Error('PostgreSQL refuses to run as root, and there is no user postgres to run it as');
  }
}

async function answers(data: string, child: ChildProcess): Promise<void> {
  const end = performance.now() + 30_000;
  while (performance.now() < end) {
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new Error(`the PostgreSQL in ${data} ended before it answered`);
    }
    if (isReady(data, child.pid)) return;
    await delay(20);
  }
  throw new Error(`the PostgreSQL in ${data} did not answer within 30 s`);
}

/** The server says so in the eighth line of its pid file; a file of a killed one has another number in the first. */
function isReady(data: string, pid: number | undefined): boolean {
  try {
    const lines = readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n');
    return lines[0] === String(pid) && lines[7]?.trim() === 'ready';
  } catch {
    return false;
  }
}
