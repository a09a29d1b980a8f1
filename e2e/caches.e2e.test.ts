import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { jobEnd } from './documents.ts';
import { getJson, type JsonReply, postJson, streamEvents } from './http.ts';
import { type Stack, startStack } from './stack.ts';

const latencyMs = 300;
let stack: Stack;

beforeAll(async () => {
  stack = await startStack({ set: [`mock_llm.latency_ms=${latencyMs}`] });
});
afterAll(() => stack?.stop());

const ask = (query: string, more: Record<string, unknown> = {}) =>
  postJson(`${stack.url}/query`, { query, collection: 'beacon', ...more });

async function modelCalls(): Promise<number> {
  const mock = (await stack.status()).services.find(({ name }) => name === 'mock-llm');
  const counts = await Promise.all(
    (mock?.upstream_urls ?? []).map(async (url) => (await getJson(`${url}/mock/requests`)).body.total),
  );
  return counts.reduce((sum: number, count: number) => sum + count, 0);
}

/** Resolves once the new text can be found. */
async function write(content: string, collection = 'beacon'): Promise<void> {
  const document = { user_id: 'u1', document_id: 'colours', collection, content };
  const { body } = await postJson(`${stack.url}/ingest`, document);
  const job = await jobEnd(stack.url, body.job_id);
  if (job.status !== 'completed') throw new Error(JSON.stringify(job));
}

const textOf = (round: number) => `The beacon of Karst shows signal number ${round} tonight.`;
/** The round that an answer speaks of; −1: of none. */
const roundOf = ({ body }: JsonReply) =>
  Number(/signal number (\d+)/.exec(JSON.stringify([body.answer, body.sources]))?.[1] ?? -1);

describe('an identical question', () => {
  it('is answered twenty times as fast, without a model call, as JSON and as a stream', async () => {
    await write(textOf(0));
    const query = 'Which signal number does the beacon of Karst show?';
    const first = await ask(query);
    expect([first.status, first.body.cache, roundOf(first)]).toEqual([200, 'miss', 0]);
    const before = await modelCalls();
    const totals: number[] = [];
    for (let time = 0; time < 50; time += 1) {
      const { body, headers } = await ask(query);
      expect([body.cache, headers.get('x-vortex-cache')]).toEqual(['hit', 'hit']);
      expect(body.answer).toBe(first.body.answer);
      totals.push(body.timings_ms.total);
    }
    const median = totals.sort((one, other) => one - other)[25] ?? Number.POSITIVE_INFINITY;
    expect(first.body.timings_ms.total / median).toBeGreaterThanOrEqual(20);
    const events = await streamEvents(`${stack.url}/query`, { query, collection: 'beacon', stream: true });
    expect(events.map(({ event }) => event)).toEqual(['start', 'sources', 'delta', 'citation', 'done']);
    expect(await modelCalls()).toBe(before);
  });

  it('asked a hundred times at once makes one model call', async () => {
    const before = await modelCalls();
    const replies = await Promise.all(
      Array.from({ length: 100 }, () => ask('What does the beacon of Karst show tonight?')),
    );
    expect(replies.map(({ status }) => status)).toEqual(Array(100).fill(200));
    expect(new Set(replies.map(({ body }) => body.answer)).size).toBe(1);
    expect(await modelCalls()).toBe(before + 1);
  });

  it('with bypass calls the model each time', async () => {
    const before = await modelCalls();
    for (let time = 0; time < 2; time += 1) {
      const { body } = await ask('Which number has the signal?', { cache: 'bypass' });
      expect(body.cache).toBe('bypass');
    }
    expect(await modelCalls()).toBe(before + 2);
  });
});

describe('a document that changes', () => {
  it('under a thousand identical questions leaves not one stale answer, nor does its deletion', async () => {
    const query = 'Which signal number does the beacon of Karst show tonight?';
    let published = 0;
    await write(textOf(0));
    const stale: string[] = [];
    const outcomes: Record<string, number> = {};
    let asked = 0;
    let isOver = false;
    const askers = Array.from({ length: 10 }, async () => {
      while (asked < 1000 || !isOver) {
        asked += 1;
        const newest = published;
        const reply = await ask(query);
        outcomes[reply.body.cache] = (outcomes[reply.body.cache] ?? 0) + 1;
        if (reply.status !== 200 || roundOf(reply) < newest) {
          stale.push(
            `${reply.status}: ${roundOf(reply)} after ${newest} was published (${reply.body.cache})`,
          );
        }
      }
    });
    for (let round = 1; round <= 12; round += 1) {
      await write(textOf(round));
      published = round;
    }
    isOver = true;
    await Promise.all(askers);
    expect(stale).toEqual([]);
    expect(outcomes.hit, JSON.stringify(outcomes)).toBeGreaterThan(100);

    const { body } = await getJson(`${stack.url}/api/documents?collection=beacon`);
    for (const { id } of body.documents) {
      expect((await fetch(`${stack.url}/api/documents/${id}`, { method: 'DELETE' })).ok).toBe(true);
    }
    const after = await ask(query);
    expect([after.body.answered, roundOf(after)]).toEqual([false, -1]);
  });
});

describe('the cache Redis', () => {
  it('frozen, then killed, costs hits and no answer', async () => {
    await write(textOf(1), 'frozen');
    const about = { collection: 'frozen' };
    const query = 'Which signal number does the beacon of Karst show tonight?';
    await ask(query, about);
    expect((await ask(query, about)).body.cache).toBe('hit');
    await stack.freeze('cache');
    try {
      for (let time = 0; time < 5; time += 1) {
        const reply = await ask(query, about);
        expect([reply.status, reply.body.cache, roundOf(reply)]).toEqual([200, 'bypass', 1]);
      }
    } finally {
      await stack.thaw('cache');
    }
    await stack.kill('cache');
    const reply = await ask(query, about);
    expect([reply.status, roundOf(reply)]).toEqual([200, 1]);
  });
});
