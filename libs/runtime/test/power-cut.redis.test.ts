import { readdirSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { createMetrics, silentLogger } from '@vortex/observability';
import { createSubmitter, keys } from '@vortex/queue';
import { type PrivateRedis, startPrivateRedis, until } from '@vortex/testkit';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type RunningStages, runStages } from '../src/index.ts';
import { hits, question, vector } from './stage-bench.ts';

/**
 * A power cut with `appendfsync everysec`: what Redis wrote to its append-only file and the disk had not got yet is
 * gone. Here the server is killed and the file cut back to what it was before the last jobs came.
 */
let server: PrivateRedis;
let client: Redis;
let stages: RunningStages | undefined;
let submitter: ReturnType<typeof createSubmitter>;

beforeEach(async () => {
  server = await startPrivateRedis({ args: ['--appendonly', 'yes', '--appendfsync', 'everysec'] });
  client = new Redis(server.url);
  client.on('error', () => undefined);
  submitter = createSubmitter({
    redis: { url: server.url, answerMs: 30_000 },
    name: `power-${process.pid}`,
    checkMs: 100,
  });
  await submitter.start();
  await until('the submitter is ready', () => submitter.isReady());
});
afterEach(async () => {
  await submitter.close();
  await stages?.stop();
  client.disconnect();
  await server.stop();
});

/** The file that grows, and how long it is once all that was sent is in it. */
async function appended(): Promise<{ file: string; bytes: number }> {
  const [, folder = ''] = (await client.config('GET', 'dir')) as string[];
  const [, name = ''] = (await client.config('GET', 'appenddirname')) as string[];
  const file = readdirSync(join(folder, name)).find((entry) => entry.endsWith('.incr.aof')) ?? '';
  const path = join(folder, name, file);
  return { file: path, bytes: statSync(path).size };
}

test('the power is cut: an open question is submitted again; of what was only queued the last second is gone', async () => {
  const tracked = { track: { type: 'query', tenant: 'default' } };
  await submitter.enqueue(question('older', tracked));
  const { file, bytes } = await appended();
  expect(bytes).toBeGreaterThan(0);
  const answer = submitter.submit(question('open'));
  await submitter.enqueue(question('younger', tracked));
  await until('all are in the list', async () => (await client.llen('job:encoder_in')) === 3);
  await until('all are in the file', () => statSync(file).size > bytes);

  await server.kill();
  truncateSync(file, bytes);
  await server.start();

  await until(
    'the open one is there again',
    async () => (await client.zscore(keys.live('interactive'), 'open')) !== null,
  );
  expect(await client.exists(keys.job('older'))).toBe(1);
  expect(await client.exists(keys.job('younger'))).toBe(0);
  stages = await runStages({
    service: 'power',
    workerName: 'power_1',
    redis: server,
    log: silentLogger,
    metrics: createMetrics('power'),
    lanes: {
      encode: {
        slots: 4,
        handler: async ({ query }) => ({
          kind: 'forward',
          to: 'retrieve',
          payload: { query, embedding: vector },
        }),
      },
      retrieve: { slots: 4, handler: async () => ({ kind: 'done', result: hits }) },
    },
    drainBudgetMs: 200,
  });
  expect(JSON.parse(await answer)).toMatchObject({ status: 'completed' });
  await until(
    'the older one has ended',
    async () => (await client.hget(keys.job('older'), 'status')) === 'completed',
  );
  expect(await client.exists(keys.completion('younger'))).toBe(0);
});
