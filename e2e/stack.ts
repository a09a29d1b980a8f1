import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@vortex/testkit';
import { askRedis } from '../services/cli/src/redis/ask-redis.ts';
import { readStatus, type ServiceStatus, type Status } from '../services/cli/src/status.ts';
import { readRunFile } from '../services/cli/src/supervisor/run-file.ts';

/**
 * A private Vortex as a user gets it: the launcher's own `up --detach`, on a data folder and ports of its
 * own. Its logs are shown when it does not come up; the folder is removed by `stop`.
 */
export interface Stack {
  url: string;
  redisUrl: string;
  data: string;
  status(): Promise<Status>;
  /** One process of the service: by its name, or by a worker name such as `llm_generator_2`. SIGKILL when no signal is named. */
  kill(service: string, signal?: NodeJS.Signals): Promise<ServiceStatus>;
  freeze(service: string): Promise<void>;
  thaw(service: string): Promise<void>;
  /** The launcher itself, with `--data` of this stack. */
  vortex(...words: string[]): Promise<{ code: number; output: string; errors: string }>;
  stop(): Promise<void>;
}

const launcher = join(import.meta.dirname, '..', 'vortex');

export async function startStack(
  options: { set?: readonly string[]; env?: Record<string, string>; args?: readonly string[] } = {},
): Promise<Stack> {
  const data = mkdtempSync(join(tmpdir(), 'vortex-e2e-'));
  // A Qdrant that the store's own tests are given is not theirs to fill.
  const { QDRANT_URL: _, ...inherited } = process.env;
  const env = { ...inherited, ...options.env };
  const vortex = (...words: string[]) => run([...words, '--data', data], env);
  const remove = () => rmSync(data, { recursive: true, force: true, maxRetries: 5 });

  const port = String(await freePort());
  const sets = (options.set ?? []).flatMap((setting) => ['--set', setting]);
  const started = await vortex('up', '--detach', '--yes', '--port', port, ...sets, ...(options.args ?? []));
  if (started.code !== 0) {
    await vortex('down');
    remove();
    throw new Error(`the stack did not start:\n${started.errors}`);
  }

  const status = async () => {
    const now = await readStatus(data);
    if (now === null) throw new Error('the stack does not run any more');
    return now;
  };
  const find = async (service: string) => {
    const { services } = await status();
    const found = services.find(({ name, worker_name }) => name === service || worker_name === service);
    if (found === undefined || found.pid === null) throw new Error(`${service} does not run`);
    return { ...found, pid: found.pid };
  };
  const signal = async (service: string, name: NodeJS.Signals) => {
    const found = await find(service);
    process.kill(found.pid, name);
    return found;
  };

  const { gateway_url: url, redis_url: redisUrl } = await status();
  return {
    url: url ?? '',
    redisUrl: redisUrl ?? '',
    data,
    status,
    kill: (service, name = 'SIGKILL') => signal(service, name),
    freeze: async (service) => void (await signal(service, 'SIGSTOP')),
    thaw: async (service) => void (await signal(service, 'SIGCONT')),
    vortex,
    async stop() {
      const refused = await refusedByRedis(data).catch(() => []);
      const stopped = await vortex('down');
      remove();
      if (stopped.code !== 0) throw new Error(`the stack did not stop:\n${stopped.errors}`);
      // Each service has its own user: whatever a test made it do, it needed no more than that user may.
      if (refused.length > 0) throw new Error(`Redis refused its users this:\n${refused.join('\n')}`);
    },
  };
}

/** Of both servers; empty when they are gone, or are not the stack's own. */
async function refusedByRedis(data: string): Promise<string[]> {
  const run = readRunFile(join(data, 'run', 'vortex.json'));
  const urls = [run?.redis_url, run?.cache_url].filter((url) => typeof url === 'string');
  const logs = await Promise.all(urls.map((url) => askRedis(url, [['ACL', 'LOG', '128']])));
  return logs.flat(2).map((entry) => JSON.stringify(entry));
}

function run(
  words: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<{ code: number; output: string; errors: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(launcher, words, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    let errors = '';
    child.stdout.setEncoding('utf8').on('data', (piece: string) => {
      output += piece;
    });
    child.stderr.setEncoding('utf8').on('data', (piece: string) => {
      errors += piece;
    });
    child.once('error', reject);
    child.once('close', (code) => resolve({ code: code ?? -1, output, errors }));
  });
}
