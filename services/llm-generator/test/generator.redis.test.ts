import type { AnswerFrame } from '@vortex/contracts';
import { createMetrics, silentLogger } from '@vortex/observability';
import { createSubmitter, keys, type Submitter } from '@vortex/queue';
import { type RunningStages, runStages } from '@vortex/runtime';
import { openTestRedis, type TestRedis, until } from '@vortex/testkit';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { createMockLlm } from '../../mock-llm/src/app.ts';
import { type Listener, listen } from '../../mock-llm/src/listeners.ts';
import { sourcesFor } from '../src/__fixtures__/sources.ts';
import { createOllamaClient } from '../src/ollama-client.ts';
import { createGenerateStage } from '../src/stage.ts';

// One replica as `main.ts` wires it, on a real Redis and the real mock-llm.
const replicaUrl = 'http://127.0.0.1:9001';
const slots = 2;
const mock = createMockLlm({ model: 'mock', law: { latencyMs: 0, tokensPerSecond: 0 } });
let redis: TestRedis;
let upstream: Listener;
let replica: RunningStages;
let submitter: Submitter;

beforeAll(async () => {
  redis = await openTestRedis();
  upstream = await listen(mock.app, '127.0.0.1', 0);
  const metrics = createMetrics('llm-generator');
  const handler = createGenerateStage({
    model: createOllamaClient({ url: upstream.url, model: 'mock', slots }),
    workerName: 'llm_generator_1',
    replicaUrl,
    maxTokens: 512,
    fingerprint: 'generation-1',
    temperature: 0,
    metrics,
  });
  replica = await runStages({
    service: 'llm-generator',
    workerName: 'llm_generator_1',
    redis,
    log: silentLogger,
    metrics,
    lanes: { generate: { handler, slots } },
    replica: { url: replicaUrl, slots },
    drainBudgetMs: 1000,
  });
  await replica.onceReady();
  submitter = createSubmitter({ redis, name: `generator-test-${process.pid}` });
  await submitter.start();
  await until('the submitter reads its inbox', () => submitter.isReady());
});
afterEach(() => behave({ mode: 'ok' }));
afterAll(async () => {
  await submitter.close();
  await replica.stop();
  await upstream.close();
  await redis.close();
});

async function behave(behaviour: object): Promise<void> {
  await fetch(`${upstream.url}/mock/behaviour`, { method: 'POST', body: JSON.stringify(behaviour) });
}

const fields = {
  query: 'What colour is the sky?',
  collection: 'handbook',
  messages: [
    {
      role: 'user',
      content:
        '<passage n="1" title="Colours">\nThe sky is blue.\n</passage>\n\nQuestion: What colour is the sky?',
    },
  ],
  sources: sourcesFor(['chk_1']),
};

const job = (id: string, envelope: object = {}) => ({
  list: 'job:llm_in',
  lane: 'interactive' as const,
  id,
  deadlineAt: Date.now() + 600_000,
  envelope: { ...fields, ...envelope },
  cap: 100,
});

const loadIsBack = () =>
  until('the load is 0 again', async () => {
    const [leases, load] = await Promise.all([
      redis.client.zcard(keys.leases(replicaUrl)),
      redis.client.get(keys.load(replicaUrl)),
    ]);
    return leases === 0 && load === '0';
  });

test.each(['job:llm_in', 'job:llm_in:llm_generator_1'])(
  'an envelope pushed by hand on %s is answered',
  async (list) => {
    const id = `by-hand-on-${list}`;
    await redis.client.rpush(list, JSON.stringify({ id, ...fields }));
    const value = await until('the completion', () => redis.client.get(keys.completion(id)));
    expect(JSON.parse(value)).toMatchObject({
      id,
      status: 'completed',
      answer: 'The sky is blue [1].',
      citations: [{ marker: 1, chunk_id: 'chk_1' }],
      worker: 'llm_generator_1',
      replica: replicaUrl,
      timings_ms: { first_token: expect.any(Number), generate: expect.any(Number) },
    });
    await loadIsBack();
  },
);

test('a stream: sources, deltas that make up the answer, citation; the completion says the same', async () => {
  await behave({ mode: 'drip', latency_ms: 10 });
  const frames: AnswerFrame[] = [];
  const completion = await submitter.submit(job('streamed', { stream: true }), {
    onFrame: (frame) => void frames.push(frame),
  });
  const { answer } = JSON.parse(completion);
  const said = () => frames.map((frame) => (frame.kind === 'delta' ? frame.text : '')).join('');
  // Frames and completion come over two connections: the last frame may be a little later.
  await until('the citation', () => frames.some((frame) => frame.kind === 'citation'));
  expect(said()).toBe(answer);
  expect(frames[0]).toMatchObject({ kind: 'sources', id: 'streamed', attempt: 1 });
  expect(frames.filter((frame) => frame.kind === 'delta').length).toBeGreaterThan(1);
  await loadIsBack();
});

test('a cancelled job lets its upstream request go and its slots are free again', async () => {
  await behave({ mode: 'hang' });
  const hanging = Array.from({ length: slots }, (_, index) => submitter.submit(job(`cancelled-${index}`)));
  await until('the slots are taken', () => mock.traffic.active === slots);
  for (let index = 0; index < slots; index += 1) await submitter.cancel(`cancelled-${index}`);
  for (const completion of await Promise.all(hanging)) {
    expect(JSON.parse(completion)).toMatchObject({ status: 'cancelled', error: { code: 'cancelled' } });
  }
  await until('the upstream requests are gone', () => mock.traffic.active === 0);
  await loadIsBack();
  await behave({ mode: 'ok' });
  expect(JSON.parse(await submitter.submit(job('after-cancelled'))).status).toBe('completed');
});

test('a failing model is asked again, and the answer says which attempt it was', async () => {
  let completion = { status: '', attempt: 0 };
  // Its tries follow each other at random intervals: all three may be over before the model is mended.
  for (let number = 0; completion.status !== 'completed'; number += 1) {
    await behave({ mode: 'error', status: 503 });
    const before = mock.traffic.total;
    const asked = submitter.submit(job(`retried-${number}`));
    await until('the first failure', () => mock.traffic.total > before);
    await behave({ mode: 'ok' });
    completion = JSON.parse(await asked);
  }
  expect(completion.attempt).toBeGreaterThan(1);
  await loadIsBack();
});

test('an unknown model is refused with what to do, without another attempt', async () => {
  await behave({ mode: 'error', status: 404 });
  const before = mock.traffic.total;
  const completion = JSON.parse(await submitter.submit(job('refused')));
  expect(completion).toMatchObject({ status: 'failed', error: { code: 'generator_failed' } });
  expect(mock.traffic.total).toBe(before + 1);
  await loadIsBack();
});

test('a model that hangs ends with the deadline, and is no dead letter', async () => {
  await behave({ mode: 'hang' });
  const deadBefore = await redis.client.llen(keys.dead('job:llm_in'));
  const before = mock.traffic.total;
  let completion = { error: { message: '' } };
  // One that comes as far as to the model: on a machine that stalls, not the first.
  for (let ms = 600; mock.traffic.total === before; ms *= 2)
    completion = JSON.parse(
      await submitter.submit({ ...job(`too-slow-${ms}`), deadlineAt: Date.now() + ms }),
    );
  expect(completion).toMatchObject({ status: 'deadline_exceeded', error: { code: 'deadline_exceeded' } });
  expect(completion.error.message).toContain('did not finish');
  expect(await redis.client.llen(keys.dead('job:llm_in'))).toBe(deadBefore);
  await until('the upstream request is gone', () => mock.traffic.active === 0);
  await loadIsBack();
});
