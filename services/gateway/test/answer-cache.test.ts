import { cacheKeys } from '@vortex/cache';
import { type Answer, problem, queryResponse } from '@vortex/contracts';
import { QueueUnavailable } from '@vortex/queue';
import { collectionVersion } from '@vortex/registry';
import { MemoryCache, until } from '@vortex/testkit';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type Caller, openCaller } from '../src/access/caller.ts';
import {
  completed,
  envelopeOf,
  eventsIn,
  failed,
  frame,
  type GatewayUnderTest,
  gatewayUnderTest,
  sampleAnswer,
} from './gateway-under-test.ts';
import { acceptDocument } from './with-document.ts';

const collection = 'notes';

/**
 * A gateway with a cache and a collection; every job is answered from the collection's state at that time. One piece: all
 * tests here stand on it.
 */
async function withCache() {
  const cache = new MemoryCache();
  cache.put(cacheKeys.settings('retrieve'), 'retrieval-1', 1000);
  cache.put(cacheKeys.settings('generate'), 'generation-1', 1000);
  const gateway = await gatewayUnderTest({}, undefined, cache);
  const document = await acceptDocument(gateway);
  await document.publish();
  gateway.queue.script = async ({ id }) => completed(id, await answerNow(gateway));
  const ask = async (more: object = {}) => {
    const response = await gateway.post('/query', { query: 'Which list?', collection, ...more });
    const text = await response.text();
    if (response.status !== 200) throw new Error(text);
    return { response, body: queryResponse.parse(JSON.parse(text)) };
  };
  const counted = async (metric: string) => {
    const { body } = await gateway.metrics.render();
    return Number(new RegExp(`^${metric.replaceAll(/[{}]/g, '.')}.*? (\\d+)$`, 'm').exec(body)?.[1] ?? 0);
  };
  return { ...gateway, gateway, cache, document, ask, counted };
}

async function answerNow({ registry }: GatewayUnderTest, more: Partial<Answer> = {}): Promise<Answer> {
  const state = await registry.resolveCollection('default', collection);
  const version = state === null ? null : collectionVersion(state);
  return {
    ...sampleAnswer,
    answer: `As of ${version}.`,
    collection,
    made_from: { collection_version: version, retrieval: 'retrieval-1', generation: 'generation-1' },
    ...more,
  };
}

describe('a question asked again', () => {
  it('is answered from there to nobody who may not see its collection, nor to another tenant', async () => {
    const { ask, app, queue } = await withCache();
    await ask();
    const askAs = async (caller: Partial<Caller>) => {
      const response = await app.request(
        '/query',
        {
          method: 'POST',
          headers: { 'Content-Type': 'application/json' },
          body: JSON.stringify({ query: 'Which list?', collection }),
        },
        { caller: { ...openCaller, isLocal: false, ...caller } },
      );
      return { status: response.status, code: problem.safeParse(await response.json()).data?.code };
    };
    const notFound = { status: 404, code: 'collection_not_found' };
    expect(await askAs({ collections: ['others'] })).toEqual(notFound);
    expect(await askAs({ tenant: 'somebody-else' })).toEqual(notFound);
    expect(await askAs({ collections: [collection] })).toEqual({ status: 200, code: undefined });
    expect(queue.submitted).toHaveLength(1);
  });

  it('is answered from the cache, and says so', async () => {
    const { ask, queue, counted } = await withCache();
    const first = await ask();
    const second = await ask();
    expect(queue.submitted).toHaveLength(1);
    expect([first.body.cache, second.body.cache]).toEqual(['miss', 'hit']);
    expect(second.response.headers.get('x-vortex-cache')).toBe('hit');
    expect(Object.keys(second.body.timings_ms)).toEqual([
      'receive',
      'cache_lookup',
      'admit',
      'deliver',
      'total',
    ]);
    const { id, request_id, timings_ms, cache, ...answer } = second.body;
    expect(first.body).toMatchObject(answer);
    expect([id, request_id]).not.toContain(first.body.id);
    expect(first.body).not.toHaveProperty('made_from');
    for (const result of ['hit', 'miss'])
      expect(await counted(`rag_cache_lookups_total{cache="answer",result="${result}"`)).toBe(1);
  });

  it('is the same question however it is spaced, and another with another option', async () => {
    const { ask, queue } = await withCache();
    await ask();
    expect((await ask({ query: ' Which  list?' })).body.cache).toBe('hit');
    const filter = { field: 'lang', op: 'eq', value: 'en' };
    for (const more of [{ query: 'which list?' }, { top_k: 3 }, { mode: 'dense' }, { filter }])
      expect((await ask(more)).body.cache, JSON.stringify(more)).toBe('miss');
    expect((await ask({ filter: { value: 'en', op: 'eq', field: 'lang' } })).body.cache).toBe('hit');
    expect(queue.submitted).toHaveLength(5);
  });

  it('is streamed from the cache as any other answer', async () => {
    const { ask, post, queue } = await withCache();
    const { body } = await ask();
    const response = await post('/query', { query: 'Which list?', collection, stream: true });
    const events = eventsIn(await response.text());
    expect(events.map(({ event }) => event)).toEqual(['start', 'sources', 'delta', 'citation', 'done']);
    const done = queryResponse.parse(events[4]?.data);
    expect(done).toMatchObject({ answer: body.answer, citations: body.citations, cache: 'hit' });
    expect(events[0]?.data).toMatchObject({ id: done.id });
    expect(queue.submitted).toHaveLength(1);
  });

  it('is answered from the cache, in one piece or as a stream, while the queue is away', async () => {
    const { ask, post, queue } = await withCache();
    await ask();
    queue.ready = false;
    queue.script = () => Promise.reject(new QueueUnavailable('away'));
    expect((await ask()).body.cache).toBe('hit');
    const stream = (query: string) => post('/query', { query, collection, stream: true });
    expect([(await stream('Which list?')).status, (await stream('Another?')).status]).toEqual([200, 503]);
  });

  it('is answered from the cache in OpenAI’s words too', async () => {
    const { ask, post, queue } = await withCache();
    const { body } = await ask();
    const request = { model: `rag:${collection}`, messages: [{ role: 'user', content: 'Which list?' }] };
    const reply = z
      .object({
        choices: z.array(z.object({ message: z.object({ content: z.string() }) })),
        x_rag: z.object({ cache: z.string() }),
      })
      .parse(await (await post('/v1/chat/completions', request)).json());
    expect(reply.choices[0]?.message.content).toBe(body.answer);
    expect(reply.x_rag.cache).toBe('hit');
    await post('/v1/chat/completions', { ...request, cache: 'bypass' });
    expect(queue.submitted).toHaveLength(2);
  });

  it('with bypass neither reads nor keeps, with refresh it keeps; stages are told', async () => {
    const { ask, queue, cache } = await withCache();
    expect((await ask({ cache: 'bypass' })).body.cache).toBe('bypass');
    expect([cache.asked, cache.entries.size]).toEqual([0, 2]);
    expect((await ask({ cache: 'refresh' })).body.cache).toBe('bypass');
    expect((await ask({ cache: 'refresh' })).body.cache).toBe('bypass');
    expect((await ask({ cache: 'default' })).body.cache).toBe('hit');
    expect(queue.submitted.map((job) => envelopeOf(job).cache)).toEqual(['bypass', 'refresh', 'refresh']);
  });

  it('refuses a word for cache that it does not know', async () => {
    const { post } = await withCache();
    for (const path of ['/query', '/search', '/v1/chat/completions']) {
      const named = path.startsWith('/v1')
        ? { model: 'rag', messages: [{ role: 'user', content: 'a' }] }
        : { query: 'a' };
      const response = await post(path, { ...named, cache: 'never' });
      const body = (await response.json()) as { error: { param: string } };
      if (path.startsWith('/v1')) expect([response.status, body.error.param]).toEqual([400, 'cache']);
      else expect([response.status, problem.parse(body).errors?.[0]?.pointer]).toEqual([422, '/cache']);
    }
  });

  it('is asked anew when the cache does not answer', async () => {
    const { ask, queue, cache } = await withCache();
    await ask();
    cache.available = false;
    expect((await ask()).body.cache).toBe('bypass');
    cache.available = true;
    for (const key of cache.entries.keys()) if (key.includes('answer')) cache.put(key, 'no {json', 1000);
    expect((await ask()).body.cache).toBe('miss');
    expect(queue.submitted).toHaveLength(3);
  });

  it('is not kept when it is less than asked for, refused by a fault, or of unknown make', async () => {
    const { gateway, ask, queue, cache } = await withCache();
    for (const more of [{ degraded: ['answer_truncated'] }, { made_from: undefined }]) {
      queue.script = async ({ id }) => completed(id, await answerNow(gateway, more as Partial<Answer>));
      await ask();
      expect(cache.entries.size).toBe(2);
    }
    queue.script = async ({ id }) => failed(id, 'generator_failed');
    expect((await gateway.post('/query', { query: 'Which list?', collection })).status).toBe(502);
    expect(cache.entries.size).toBe(2);
  });

  it('that was refused for want of documents is refused again without a search', async () => {
    const { gateway, ask, queue } = await withCache();
    const refusal = { reason: 'no_relevant_context' as const, floor: 0.26, best: 0.1 };
    queue.script = async ({ id }) => {
      const made = await answerNow(gateway, { answered: false, refusal, citations: [], model: null });
      return completed(id, { ...made, made_from: { ...made.made_from, generation: null } });
    };
    await ask();
    const { body } = await ask();
    expect(body).toMatchObject({ cache: 'hit', answered: false, refusal });
  });
});

describe('what a kept answer was made from', () => {
  it('a published version, a deleted document, a changed collection: each ends it at once', async () => {
    const { gateway, ask, registry, document } = await withCache();
    const expectNew = async (what: string) => {
      const [fresh, again] = [await ask(), await ask()];
      expect([fresh.body.cache, again.body.cache], what).toEqual(['stale', 'hit']);
      expect(fresh.body.answer, what).toBe((await answerNow(gateway)).answer);
    };
    await ask();
    const change = { contentHash: 'other' };
    await (await acceptDocument(gateway, { text: 'Other.', jobId: 'job_2', change })).publish();
    await expectNew('published');
    await registry.updateCollection('default', collection, { relevanceFloor: 0.4 });
    await expectNew('changed');
    await registry.deleteDocument('default', document.documentId);
    await expectNew('deleted');
  });

  it('a collection of the same name made anew has none of the old answers', async () => {
    const { gateway, ask, registry } = await withCache();
    await ask();
    await registry.deleteCollection('default', collection);
    await registry.forgetCollection('default', collection);
    await (await acceptDocument(gateway, { jobId: 'job_2' })).publish();
    expect((await ask()).body.cache).toBe('stale');
  });

  it.each(['retrieve', 'generate'])('other settings of %s end it, and silence about them', async (role) => {
    const { ask, cache } = await withCache();
    await ask();
    cache.put(cacheKeys.settings(role), 'others', 1000);
    expect((await ask()).body.cache).toBe('stale');
    cache.entries.delete(cacheKeys.settings(role));
    expect((await ask()).body.cache).toBe('miss');
  });

  it('an answer that was searched for before a change is not given after it', async () => {
    const { gateway, ask, queue, registry } = await withCache();
    const held = Promise.withResolvers<void>();
    queue.script = async ({ id }) => {
      const answer = await answerNow(gateway);
      await held.promise;
      return completed(id, answer);
    };
    const early = ask();
    await until('it is searched', () => queue.submitted.length === 1);
    await registry.updateCollection('default', collection, { relevanceFloor: 0.4 });
    const late = ask();
    await until('the late one runs for itself', () => queue.submitted.length === 2);
    held.resolve();
    expect((await early).body.answer).not.toBe((await late).body.answer);
    expect((await late).body.answer).toBe((await answerNow(gateway)).answer);
    await ask();
    expect((await ask()).body).toMatchObject({ cache: 'hit', answer: (await late).body.answer });
  });
});

describe('identical questions at the same time', () => {
  it('are one job, in JSON and as streams, and each has an id of its own', async () => {
    const { gateway, ask, post, queue, counted } = await withCache();
    const held = Promise.withResolvers<void>();
    queue.script = async ({ id }, { onFrame }) => {
      onFrame?.(frame(id, { kind: 'sources', sources: sampleAnswer.sources }));
      await held.promise;
      onFrame?.(frame(id, { kind: 'delta', text: 'As of' }));
      return completed(id, await answerNow(gateway));
    };
    const stream = async () =>
      eventsIn(await (await post('/query', { query: 'Which list?', collection, stream: true })).text());
    const all = Promise.all([...Array.from({ length: 99 }, () => ask())]);
    const streamed = stream();
    await until('one is under way', () => queue.submitted.length === 1);
    held.resolve();
    const replies = await all;
    expect(queue.submitted).toHaveLength(1);
    expect(replies.filter(({ body }) => body.cache === 'shared').length).toBeGreaterThanOrEqual(98);
    expect(new Set(replies.map(({ body }) => body.id)).size).toBe(99);
    const shared = replies.find(({ body }) => body.cache === 'shared');
    expect(Object.keys(shared?.body.timings_ms ?? {})).toEqual(
      'receive cache_lookup admit shared deliver reply total'.split(' '),
    );
    const events = await streamed;
    expect(events.map(({ event }) => event).slice(0, 2)).toEqual(['start', 'sources']);
    expect(events.at(-1)?.data).toMatchObject({ answer: replies[0]?.body.answer, cache: 'shared' });
    expect(await counted('api_gateway_shared_queries_total')).toBe(99);
  });

  it('go on when the first one’s client leaves; the job is cancelled with the last', async () => {
    const { gateway, app, ask, queue } = await withCache();
    const held = Promise.withResolvers<void>();
    queue.script = async ({ id }) => {
      await held.promise;
      return completed(id, await answerNow(gateway));
    };
    const leaving = (query: string) => {
      const leave = new AbortController();
      const headers = { 'Content-Type': 'application/json' };
      const body = JSON.stringify({ query, collection });
      const reply = app.request('/query', { method: 'POST', headers, body, signal: leave.signal });
      return { reply, leave };
    };
    const first = leaving('Which list?');
    await until('it is under way', () => queue.submitted.length === 1);
    const second = ask();
    const alone = leaving('Another?');
    await until('both are under way', () => queue.submitted.length === 2);
    first.leave.abort();
    alone.leave.abort();
    expect([(await first.reply).status, (await alone.reply).status]).toEqual([499, 499]);
    expect(queue.cancelled).toEqual([queue.submitted[1]?.id]);
    held.resolve();
    expect((await second).body.cache).toBe('shared');
    expect(queue.submitted).toHaveLength(2);
  });

  it('do not fail with the first one: the others ask once more, together', async () => {
    const { gateway, post, queue } = await withCache();
    const held = Promise.withResolvers<void>();
    queue.script = async ({ id }) => {
      await held.promise;
      if (queue.submitted.length === 1) return failed(id, 'generator_failed');
      return completed(id, await answerNow(gateway));
    };
    const all = Array.from({ length: 10 }, () => post('/query', { query: 'Which list?', collection }));
    await until('one is under way', () => queue.submitted.length === 1);
    await until('all look', () =>
      gateway.metrics.render().then(({ body }) => /result="miss"[^}]*} 10/.test(body)),
    );
    held.resolve();
    const statuses = (await Promise.all(all)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 502)).toHaveLength(1);
    expect(statuses.filter((status) => status === 200)).toHaveLength(9);
    expect(queue.submitted).toHaveLength(2);
  });

  it('are jobs of their own with bypass', async () => {
    const { ask, queue } = await withCache();
    await Promise.all([ask({ cache: 'bypass' }), ask({ cache: 'bypass' })]);
    expect(queue.submitted).toHaveLength(2);
  });
});
