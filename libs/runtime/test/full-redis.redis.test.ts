import { createMetrics, silentLogger } from '@vortex/observability';
import { createSubmitter, QueueUnavailable } from '@vortex/queue';
import { type PrivateRedis, startPrivateRedis, until } from '@vortex/testkit';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type RunningStages, runStages } from '../src/index.ts';
import { anAnswer, generateEnvelope, question, vector } from './stage-bench.ts';

/** A Redis of its own, so small that some hundred questions fill it. */
let redis: PrivateRedis;
let stages: RunningStages;
const gate = Promise.withResolvers<void>();

beforeAll(async () => {
  redis = await startPrivateRedis({ args: ['--maxmemory', '12mb', '--maxmemory-policy', 'noeviction'] });
  stages = await runStages({
    service: 'full',
    workerName: 'full_1',
    redis: { url: redis.url },
    log: silentLogger,
    metrics: createMetrics('full'),
    lanes: {
      encode: {
        slots: 4,
        handler: async ({ query }) => {
          await gate.promise;
          return { kind: 'forward', to: 'retrieve', payload: { query, embedding: vector } };
        },
      },
      retrieve: {
        slots: 4,
        handler: async ({ id }) => ({ kind: 'forward', to: 'generate', payload: generateEnvelope(id) }),
      },
      generate: { slots: 4, handler: async ({ id }) => ({ kind: 'done', result: anAnswer(id) }) },
    },
    drainBudgetMs: 200,
  });
  await stages.onceReady();
});
afterAll(async () => {
  await stages?.stop();
  await redis?.stop();
});

test('a full Redis refuses new work, all that was admitted is answered, and then it takes work again by itself', async () => {
  const submitter = createSubmitter({
    redis: { url: redis.url, answerMs: 30_000 },
    name: 'full',
    caretaker: { tickMs: 0 },
  });
  const look = new Redis(redis.url);
  try {
    await submitter.start();
    await until('the submitter is ready', () => submitter.isReady());
    // A field that no stage knows: carried to the encoder, and dropped there.
    const filling = { query: 'x', padding: 'x'.repeat(30_000) };
    const answers: Promise<string>[] = [];
    let refusal: unknown;
    for (let number = 0; refusal === undefined && number < 2000; number += 1) {
      const admitted = Promise.withResolvers<void>();
      const asked = submitter.submit(question(`q${number}`, { envelope: filling }), {
        onAdmitted: admitted.resolve,
      });
      answers.push(asked);
      await Promise.race([admitted.promise, asked]).catch((error: unknown) => {
        refusal = error;
        answers.pop();
      });
    }
    expect(refusal).toBeInstanceOf(QueueUnavailable);
    expect(answers.length).toBeGreaterThan(50);
    await expect(submitter.submit(question('refused', { envelope: filling }))).rejects.toBeInstanceOf(
      QueueUnavailable,
    );

    // Full to the brim, and nothing that drains makes room: idle workers must find the backlog all the same.
    await look.config('SET', 'maxmemory', '1');
    gate.resolve();
    const statuses = (await Promise.all(answers)).map((text) => JSON.parse(text).status);
    expect(new Set(statuses)).toEqual(new Set(['completed']));
    expect(await look.zcard('job:live')).toBe(0);

    await look.config('SET', 'maxmemory', String(12 * 1024 * 1024));
    const text = await submitter.submit(question('after', { envelope: filling }));
    expect(JSON.parse(text).status).toBe('completed');
  } finally {
    look.disconnect();
    await submitter.close();
  }
});
