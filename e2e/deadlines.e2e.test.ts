import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually, getJson, postJson } from './http.ts';
import { type Stack, startStack } from './stack.ts';

let stack: Stack;
let redis: Redis;
let modelUrl: string;

beforeAll(async () => {
  // One replica, twenty tokens a second: what it has learnt and what it is doing can be told from outside.
  stack = await startStack({ args: ['--replicas', '1'], set: ['mock_llm.tokens_per_second=20'] });
  redis = new Redis(stack.redisUrl, { maxRetriesPerRequest: null });
  redis.on('error', () => {});
  const { services } = await stack.status();
  modelUrl = services.find(({ name }) => name === 'llm-generator')?.upstream_urls[0] ?? '';
});
afterAll(async () => {
  redis?.disconnect();
  await stack?.stop();
});
beforeEach(() => behave({ mode: 'ok' }));

const behave = (behaviour: object) => postJson(`${modelUrl}/mock/behaviour`, behaviour);
const traffic = async (): Promise<{ total: number; active: number; aborted: number }> =>
  (await getJson(`${modelUrl}/mock/requests`)).body;
const ask = (more: object = {}, init: RequestInit = {}) =>
  postJson(
    `${stack.url}/query`,
    { query: 'What does Vortex do when a worker dies?', cache: 'bypass', ...more },
    init,
  );

async function untilGenerating(count: number): Promise<void> {
  await eventually(
    async () => (await traffic()).active === count,
    10_000,
    `${count} generations are under way`,
  );
}

/** How long after `act` the model server had nothing to do any more; it is asked every few milliseconds. */
async function untilIdleAfter(act: () => Promise<unknown> | unknown): Promise<number> {
  const beganAt = performance.now();
  await act();
  for (;;) {
    const { active } = await traffic();
    if (active === 0) return performance.now() - beganAt;
    if (performance.now() - beganAt > 10_000) throw new Error('the generation goes on');
  }
}

describe('a deadline', () => {
  it('nearer than the generator’s usual run is told at once, with timings, and the model is not asked', async () => {
    for (let run = 0; run < 10; run += 1) expect((await ask({ max_tokens: 20 })).status).toBe(200);
    const before = await traffic();
    const { status, body } = await ask({ deadline_ms: 700 });
    expect([status, body.code]).toEqual([504, 'deadline_exceeded']);
    expect(body.detail).toMatch(/half of its runs take longer than \d+ ms/);
    expect(Object.keys(body.timings_ms)).toEqual(
      expect.arrayContaining(['admit', 'encode', 'retrieve', 'queue_generate', 'total']),
    );
    expect(body.timings_ms.total).toBeLessThan(700);
    expect((await traffic()).total).toBe(before.total);
  });

  it('that the whole answer will not meet is met by a shorter one, which says so', async () => {
    const whole = await ask({ deadline_ms: 60_000 });
    expect(whole.body.degraded).toEqual([]);
    // Its tokens take longer than that.
    expect(whole.body.usage.completion_tokens).toBeGreaterThan(40);
    const { status, body } = await ask({ deadline_ms: 2000 });
    expect([status, body.degraded]).toEqual([200, ['answer_truncated', 'answer_cut_to_deadline']]);
    expect(whole.body.answer.startsWith(body.answer.slice(0, 20))).toBe(true);
  });
});

describe('a cancelled question', () => {
  it('breaks off its generation within 500 ms: DELETE of one that waits, and of one that is asked for later', async () => {
    await behave({ mode: 'hang_after_headers' });
    const waiting = ask();
    const later = (await ask({ async: true })).body.job_id;
    await untilGenerating(2);
    const ids = await redis.zrange('job:live', 0, '-1');
    expect(ids).toHaveLength(2);
    const tookMs = await untilIdleAfter(() =>
      Promise.all(ids.map((id) => fetch(`${stack.url}/api/jobs/${id}`, { method: 'DELETE' }))),
    );
    expect(tookMs).toBeLessThan(500);
    expect((await waiting).body.code).toBe('cancelled');
    await eventually(
      async () => (await getJson(`${stack.url}/api/jobs/${later}/status`)).body.status === 'cancelled',
      5_000,
      'its status says so',
    );
  });

  it('breaks off its generation within 500 ms when its client leaves', async () => {
    await behave({ mode: 'hang_after_headers' });
    const leave = new AbortController();
    const asked = ask({ stream: true }, { signal: leave.signal }).catch(() => undefined);
    await untilGenerating(1);
    const tookMs = await untilIdleAfter(() => leave.abort());
    expect(tookMs).toBeLessThan(500);
    await asked;
    expect(await redis.zcard('job:live')).toBe(0);
  });

  it('is not lost when Redis is frozen as its client leaves', async () => {
    await behave({ mode: 'hang_after_headers' });
    const leave = new AbortController();
    const asked = ask({}, { signal: leave.signal }).catch(() => undefined);
    await untilGenerating(1);
    await stack.freeze('redis');
    leave.abort();
    await asked;
    try {
      // The gateway gives a command up after 0.8 s; it is tried again when that is over.
      await eventually(
        async () => (await fetch(`${stack.url}/readyz`)).status === 503,
        10_000,
        'the gateway notices',
      );
    } finally {
      await stack.thaw('redis');
    }
    await eventually(async () => (await traffic()).active === 0, 15_000, 'the generation is broken off');
    await eventually(async () => (await redis.zcard('job:live')) === 0, 5_000, 'the job has ended');
  });
});
