import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, getJson, postJson } from './http.ts';
import { type Stack, startStack } from './stack.ts';

let stack: Stack;
let redis: Redis;

beforeAll(async () => {
  stack = await startStack({ set: ['mock_llm.latency_ms=400'] });
  redis = new Redis(stack.redisUrl, { maxRetriesPerRequest: null });
  redis.on('error', () => {});
});
afterAll(async () => {
  redis?.disconnect();
  await stack?.stop();
});

const ask = (query: string) => postJson(`${stack.url}/query`, { query, cache: 'bypass' });
const volley = (count: number) =>
  Promise.all(Array.from({ length: count }, (_, index) => ask(`What is stage number ${index} for?`)));

async function expectRecovered(): Promise<void> {
  await eventually(async () => (await stack.status()).ready, 30_000, 'every service is back');
  await eventually(
    async () => {
      const keys = await redis.keys('llm:load:*');
      const values = await Promise.all(keys.map((key) => redis.get(key)));
      return keys.length === 3 && values.every((load) => load === '0');
    },
    20_000,
    'loads are back at 0',
  );
}

describe('kill -9 under twenty questions', () => {
  it.each(['encoder', 'retriever', 'llm-generator'])(
    'of the %s: every question is answered',
    async (service) => {
      const asked = volley(20);
      await eventually(async () => (await redis.zcard('job:live')) > 5, 5_000, 'questions are under way');
      await stack.kill(service);
      const replies = await asked;
      expect(replies.map(({ status }) => status)).toEqual(Array(20).fill(200));
      await expectRecovered();
    },
  );

  it('of the gateway: what it had admitted completes, and nothing leaks', async () => {
    const asked = Promise.allSettled(
      Array.from({ length: 10 }, (_, index) => ask(`What does the gateway do, ${index}?`)),
    );
    const admitted = await eventually(
      async () => {
        const ids = await redis.zrange('job:live', 0, '-1');
        return ids.length >= 5 ? ids : null;
      },
      5_000,
      'questions are under way',
    );
    await stack.kill('gateway');
    await asked;
    for (const id of admitted) {
      const completion = await eventually(() => redis.get(`job:completion:${id}`), 20_000, `${id} completes`);
      expect(JSON.parse(completion).status).toBe('completed');
    }
    expect(await redis.zcard('job:live')).toBe(0);
    await expectRecovered();
  });
});

describe('FLUSHALL', () => {
  it('in the middle of a hundred questions loses no answer and no document', async () => {
    const documents = (await getJson(`${stack.url}/api/documents`)).body;
    const asked = volley(100);
    await eventually(async () => (await redis.zcard('job:live')) > 20, 5_000, 'questions are under way');
    await redis.flushall();
    const replies = await asked;
    expect(replies.map(({ status }) => status)).toEqual(Array(100).fill(200));
    expect((await getJson(`${stack.url}/api/documents`)).body).toEqual(documents);
    await expectRecovered();
  });
});

describe('Redis full', () => {
  it('refuses what is new with 503, finishes what it has admitted, and takes work again by itself', async () => {
    const asked = volley(20);
    await eventually(
      async () => (await redis.zcard('job:live')) === 20,
      5_000,
      'all questions are under way',
    );
    await redis.config('SET', 'maxmemory', '1');
    try {
      const form = new FormData();
      form.append('file', new Blob(['The lamp burns.']), 'lamp.txt');
      const refused = await Promise.all([
        ask('What is refused?'),
        postJson(`${stack.url}/ingest`, { document_id: 'lamp', content: 'The lamp burns.' }),
        fetch(`${stack.url}/api/documents/upload`, { method: 'POST', body: form }),
      ]);
      expect(refused.map(({ status }) => status)).toEqual([503, 503, 503]);
      expect((await asked).map(({ status }) => status)).toEqual(Array(20).fill(200));
      expect(
        (await getJson(`${stack.url}/api/documents?collection=default`)).body.documents,
      ).not.toContainEqual(expect.objectContaining({ external_id: 'lamp.txt' }));
    } finally {
      await redis.config('SET', 'maxmemory', '0');
    }
    expect((await ask('What is taken again?')).status).toBe(200);
    await expectRecovered();
  });
});

describe('Redis frozen, then killed', () => {
  it('is answered by 503 at once, and all recovers by itself', async () => {
    await stack.freeze('redis');
    try {
      // Three times, as this process may be kept waiting itself; whoever waits for Redis waits until it is thawed.
      const tookMs: number[] = [];
      for (let time = 0; time < 3; time += 1) {
        const beganMs = performance.now();
        const { status, body } = await ask('Are you there?');
        tookMs.push(performance.now() - beganMs);
        expect([status, body.code]).toEqual([503, 'queue_unavailable']);
      }
      // The gateway gives up within a second.
      expect(Math.min(...tookMs)).toBeLessThan(1_500);
      expect((await fetch(`${stack.url}/healthz`)).status).toBe(200);
      await eventually(
        async () => (await fetch(`${stack.url}/readyz`)).status === 503,
        10_000,
        '/readyz says 503',
      );
    } finally {
      await stack.thaw('redis');
    }
    await eventually(
      async () => (await ask('And now?')).status === 200,
      15_000,
      'questions are answered again',
    );
    await stack.kill('redis');
    await eventually(
      async () => (await ask('And after a crash?')).status === 200,
      20_000,
      'questions are answered again',
    );
    await expectRecovered();
  });
});
