import { createMetrics, silentLogger } from '@vortex/observability';
import { createInspector, createSubmitter } from '@vortex/queue';
import { openTestRedis, until } from '@vortex/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type RunningStages, runStages } from '../src/index.ts';

const vector = Buffer.from(new Float32Array([1, 0]).buffer).toString('base64');
let redis: Awaited<ReturnType<typeof openTestRedis>>;
let stages: RunningStages;
let submitter: ReturnType<typeof createSubmitter>;

beforeAll(async () => {
  redis = await openTestRedis();
  stages = await runStages({
    service: 'chain',
    workerName: 'chain_1',
    redis,
    log: silentLogger,
    metrics: createMetrics('chain'),
    lanes: {
      encode: {
        slots: 8,
        handler: async (input) => ({
          kind: 'forward',
          to: 'retrieve',
          payload: { query: input.query, embedding: vector },
        }),
      },
      retrieve: {
        slots: 8,
        handler: async (input) => ({
          kind: 'forward',
          to: 'generate',
          payload: {
            query: input.query,
            collection: 'default',
            messages: [{ role: 'user', content: input.query }],
            sources: [],
          },
        }),
      },
      generate: {
        slots: 8,
        handler: async (input, context) => {
          context.emit({ kind: 'delta', text: 'hello' });
          return {
            kind: 'done',
            result: {
              answered: true,
              answer: `re: ${input.query}`,
              refusal: null,
              citations: [],
              sources: [],
              worker: 'chain_1',
              replica: null,
              model: 'none',
              collection: input.collection,
              degraded: [],
              usage: { prompt_tokens: 1, completion_tokens: 1 },
            },
          };
        },
      },
    },
    drainBudgetMs: 1000,
  });
  submitter = createSubmitter({ redis, name: 'chain-test' });
  await submitter.start();
  await stages.onceReady();
});

afterAll(async () => {
  await submitter.close();
  await stages.stop();
  await redis.close();
});

function job(id: string) {
  return {
    list: 'job:encoder_in',
    lane: 'interactive' as const,
    id,
    deadlineAt: Date.now() + 600_000,
    envelope: { query: id },
    cap: 1000,
  };
}

test('a submitted question comes back as a completion, with its frames before it', async () => {
  await until('the submitter is ready', () => submitter.isReady());
  const frames: unknown[] = [];
  const completion = JSON.parse(
    await submitter.submit(job('q1'), { onFrame: (frame) => frames.push(frame) }),
  );
  expect(completion).toMatchObject({ id: 'q1', status: 'completed', answer: 're: q1', attempt: 1 });
  expect(Object.keys(completion.timings_ms).sort()).toEqual([
    'encode',
    'generate',
    'queue_encode',
    'queue_generate',
    'queue_retrieve',
    'retrieve',
  ]);
  expect(frames).toEqual([{ id: 'q1', attempt: 1, redelivered: 0, kind: 'delta', text: 'hello' }]);
});

test('many at once each get their own answer, and nothing is left behind', async () => {
  const ids = Array.from({ length: 300 }, (_, place) => `many-${place}`);
  const answers = await Promise.all(ids.map((id) => submitter.submit(job(id))));
  expect(answers.map((text) => JSON.parse(text).answer)).toEqual(ids.map((id) => `re: ${id}`));
  const inspector = createInspector(redis);
  await until('inspector', () => inspector.ping());
  const queues = await inspector.queues(['job:encoder_in', 'job:retriever_in', 'job:llm_in']);
  for (const queue of queues) expect(queue).toMatchObject({ waiting: 0, in_flight: 0, retry: 0, dead: 0 });
  expect(await redis.client.zcard('job:live')).toBe(0);
  inspector.close();
});

test('a hand-pushed envelope needs an id and a query, and completes in its key', async () => {
  await redis.client.rpush('job:encoder_in', '{"id":"hand-1","query":"by hand"}');
  const text = await until('the completion', () => redis.client.get('job:completion:hand-1'));
  expect(JSON.parse(text)).toMatchObject({ id: 'hand-1', status: 'completed', answer: 're: by hand' });
  expect(await redis.client.ttl('job:completion:hand-1')).toBeLessThanOrEqual(60);
});
