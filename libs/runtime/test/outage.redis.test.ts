import { createMetrics, silentLogger } from '@vortex/observability';
import { createSubmitter } from '@vortex/queue';
import { type PrivateRedis, startPrivateRedis, until } from '@vortex/testkit';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RunningStages, runStages } from '../src/index.ts';
import { hits, question, vector } from './stage-bench.ts';

/** One Redis of our own that is down at first, comes, forgets its scripts, is killed and comes back. */
let server: PrivateRedis;
let stages: RunningStages;
let submitter: ReturnType<typeof createSubmitter>;

beforeAll(async () => {
  server = await startPrivateRedis({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] });
  await server.kill();
  stages = await runStages({
    service: 'outage',
    workerName: 'outage_1',
    redis: server,
    log: silentLogger,
    metrics: createMetrics('outage'),
    lanes: {
      encode: {
        slots: 4,
        handler: async ({ query }) => ({
          kind: 'forward',
          to: 'retrieve',
          payload: { query, embedding: vector },
        }),
      },
      retrieve: {
        slots: 4,
        handler: async () => {
          await new Promise((resolve) => setTimeout(resolve, 5));
          return { kind: 'done', result: hits };
        },
      },
    },
    drainBudgetMs: 500,
    beatMs: 300,
  });
  submitter = createSubmitter({
    redis: { url: server.url, answerMs: 30_000 },
    name: `outage-${process.pid}`,
    checkMs: 200,
  });
  await submitter.start();
});
afterAll(async () => {
  await submitter.close();
  await stages.stop();
  await server.stop();
});

const ask = async (id: string) => JSON.parse(await submitter.submit(question(id)));
const bothReady = () => submitter.isReady() && stages.readiness().ready;

// One story: what comes later needs a Redis that has come.
describe('an outage', { shuffle: false }, () => {
  test('redis is down at boot: the process waits, says why it is not ready, and becomes ready', async () => {
    expect(stages.readiness()).toMatchObject({ ready: false });
    expect(stages.readiness().reasons).toContain('no beat has been accepted lately');
    await server.start();
    await until('both are ready', bothReady);
    expect(await ask('first')).toMatchObject({ status: 'completed' });
  });

  test('redis forgets its scripts: they are sent again', async () => {
    const client = new Redis(server.url);
    await client.script('FLUSH', 'SYNC');
    client.disconnect();
    expect(await ask('after-flush')).toMatchObject({ status: 'completed' });
  });

  test('every connection is killed under load: all answers arrive', async () => {
    const client = new Redis(server.url);
    const admitted: string[] = [];
    const answers = Promise.all(
      Array.from({ length: 100 }, async (_, place) => {
        const onAdmitted = () => void admitted.push(`cut-${place}`);
        return JSON.parse(await submitter.submit(question(`cut-${place}`), { onAdmitted }));
      }),
    );
    // One that is not in yet is refused when it is cut off twice.
    await until('all are in', () => admitted.length === 100);
    for (let round = 0; round < 3; round += 1) {
      await until(
        'some are through',
        async () => Number(await client.llen('job:encoder_in')) < 90 - 20 * round,
      );
      await client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    }
    for (const answer of await answers) expect(answer).toMatchObject({ status: 'completed' });
    await until('all is ready again', bothReady);
    client.disconnect();
  });

  test('redis is killed under load and comes back from its file: all answers arrive', async () => {
    const answers = Promise.all(Array.from({ length: 60 }, (_, place) => ask(`kill-${place}`)));
    const client = new Redis(server.url);
    await until(
      'all are admitted or done',
      async () =>
        (await client.zcard('job:live')) + (await client.keys('job:completion:kill-*')).length >= 60,
    );
    client.disconnect();
    await server.kill();
    await until('the worker has noticed', () => !stages.readiness().ready || !submitter.isReady());
    await server.start();
    for (const answer of await answers) expect(answer).toMatchObject({ status: 'completed' });
    await until('all is ready again', bothReady, 15_000);
  });
});
