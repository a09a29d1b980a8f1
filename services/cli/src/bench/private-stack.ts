import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** A whole Vortex of the bench's own: fresh data folder, free port, language model without delay. */
export interface PrivateStack {
  url: string;
  dataDir: string;
  status(): Promise<StackStatus>;
  /** From then on every request must bring one. */
  makeKey(): Promise<string>;
  /** `audit`: whether rows and files agree with the registry, and what it said. */
  audit(): Promise<{ clean: boolean; text: string }>;
  stop(): Promise<void>;
}

export interface StackStatus {
  gateway_url: string;
  supervisor: { pid: number } | null;
  services: {
    name: string;
    worker_name: string | null;
    pid: number | null;
    url: string | null;
    rss_bytes: number | null;
  }[];
}

const launcher = join(import.meta.dirname, '../../../../vortex');
const run = promisify(execFile);

/** @throws with what `up` said when the stack does not start. */
export async function startPrivateStack(options: {
  modelsDir: string;
  withDocs: boolean;
  /** `section.key=value`, stronger than what a bench has otherwise (a model that answers at once). */
  settings?: readonly string[];
  /** A Redis that is there already, instead of the instance's own. */
  redisUrl?: string;
}): Promise<PrivateStack> {
  const dataDir = await mkdtemp(join(tmpdir(), 'vortex-bench-'));
  const port = await freePort();
  const args = ['up', '--detach', '--yes', '--data', dataDir, '--port', String(port)];
  if (!options.withDocs) args.push('--no-demo');
  const settings = [
    'mock_llm.latency_ms=0',
    `embedding.models_dir=${options.modelsDir}`,
    ...(options.settings ?? []),
  ];
  for (const setting of settings) args.push('--set', setting);
  const status = async () => {
    const { stdout } = await run(launcher, ['status', '--json', '--data', dataDir]);
    return JSON.parse(stdout) as StackStatus;
  };
  const makeKey = async () => {
    const scopes = ['--scopes', 'query,ingest,admin'];
    const { stdout } = await run(launcher, ['keys', 'create', ...scopes, '--json', '--data', dataDir]);
    return (JSON.parse(stdout) as { key: string }).key;
  };
  const audit = () =>
    run(launcher, ['audit', '--data', dataDir]).then(
      ({ stdout }) => ({ clean: true, text: stdout }),
      (error: { stdout?: string; stderr?: string }) => ({
        clean: false,
        text: `${error.stdout ?? ''}${error.stderr ?? ''}`,
      }),
    );
  const stop = async () => {
    await run(launcher, ['down', '--data', dataDir]).catch(() => {});
    await rm(dataDir, { recursive: true, force: true });
  };
  try {
    await new Promise<void>((resolve, reject) => {
      const env = { ...process.env, ...(options.redisUrl !== undefined && { REDIS_URL: options.redisUrl }) };
      const child = spawn(launcher, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
      let complaint = '';
      child.stderr.on('data', (piece) => {
        complaint += piece;
      });
      child.on('error', reject);
      child.on('exit', (code) =>
        code === 0 ? resolve() : reject(new Error(`the stack did not start:\n${complaint}`)),
      );
    });
    return { url: (await status()).gateway_url, dataDir, status, makeKey, audit, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

export async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() =>
        address !== null && typeof address === 'object'
          ? resolve(address.port)
          : reject(new Error('no free port')),
      );
    });
  });
}
