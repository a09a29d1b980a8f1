import type { KeyLimits } from '@vortex/contracts';
import { type LimitVerdict, QueueUnavailable } from '@vortex/queue';
import { issueKey } from '@vortex/registry';
import { expect, it } from 'vitest';
import { envelopeOf, eventsIn, failed, gatewayUnderTest } from './gateway-under-test.ts';

const everything = ['query', 'ingest', 'admin'] as const;

async function limited(limits: KeyLimits | null) {
  const gateway = await gatewayUnderTest();
  const made = await issueKey(gateway.registry, gateway.pepper, {
    ...{ tenant: 'shop', name: null, scopes: everything, collections: null, expiresAt: null, limits },
  });
  await gateway.keyring.refresh();
  const headers = { Authorization: `Bearer ${made.key}` };
  const ask = (body: object = { query: 'why?' }, path = '/query') => gateway.post(path, body, headers);
  const get = (path: string) => gateway.app.request(path, { headers });
  const handIn = (text: string, path = '/api/documents') =>
    gateway.post(
      path,
      path === '/ingest' ? { user_id: 'u', document_id: text, content: text } : { text },
      headers,
    );
  return { ...gateway, made, ask, get, handIn };
}

const counted: LimitVerdict = {
  refusedBy: null,
  waitMs: 0,
  states: [{ limit: 'requests', quota: 60, windowMs: 60_000, remaining: 59, resetMs: 1000 }],
};

it('of a key without limits nothing is asked, and nothing told', async () => {
  const { ask, get, limits } = await limited(null);
  for (const response of [await ask(), await get('/api/collections')]) {
    expect(response.status).toBe(200);
    expect(response.headers.has('ratelimit')).toBe(false);
  }
  expect(limits.judged).toEqual([]);
});

const chat = { model: 'rag', messages: [{ role: 'user', content: 'why?' }] };
it.each([
  ['/query', { query: 'why?', deadline_ms: 5000 }, 7000, 2516],
  ['/query', { query: 'why?' }, 62_000, 2516],
  ['/search', { query: 'why?' }, 62_000, 0],
  ['/v1/chat/completions', chat, 62_000, 2516],
  ['/v1/chat/completions', { ...chat, max_tokens: 100 }, 62_000, 2104],
])(
  '%s %j is judged once, with all its limits, and gives back what it holds',
  async (path, body, leaseMs, mostTokens) => {
    const { ask, limits, queue, made } = await limited({
      ...{ requests_per_minute: 60, burst: 10, tokens_per_day: 900, concurrent_queries: 2 },
    });
    limits.verdict = () => counted;
    if (path === '/search') queue.script = async (job) => failed(job.id, 'internal');
    const response = await ask(body, path);
    expect(response.headers.get('ratelimit')).toBe('"requests";r=59;t=1');
    expect(response.headers.get('ratelimit-policy')).toBe('"requests";q=60;w=60');
    expect(limits.judged).toMatchObject([
      {
        keyId: made.id,
        bounds: { requestsPerMinute: 60, burst: 10, dayTokens: 900, concurrentQueries: 2 },
        query: { leaseMs, mostTokens },
      },
    ]);
    expect(limits.released).toEqual([limits.judged[0]?.query?.id]);
    // Whoever makes the answer knows who pays for it.
    const { charge, reservation } = envelopeOf(queue.submitted[0]);
    expect(charge).toBe(made.id);
    const { id = '' } = limits.judged[0]?.query ?? {};
    expect(reservation).toBe(mostTokens === 0 ? undefined : `${id}:${mostTokens}`);
  },
);

it('a question for later gives its place back, and what is put by for it stays', async () => {
  const { ask, limits, queue } = await limited({ tokens_per_minute: 5000, concurrent_queries: 1 });
  expect((await ask({ query: 'why?', async: true })).status).toBe(202);
  const id = limits.judged[0]?.query?.id;
  expect(limits.left).toEqual([id]);
  expect(limits.released).toEqual([]);
  expect(envelopeOf(queue.submitted[0]).reservation).toBe(`${id}:2516`);
  queue.admit = async () => {
    throw new QueueUnavailable('away');
  };
  expect((await ask({ query: 'why?', async: true })).status).toBe(503);
  expect(limits.released).toHaveLength(1);
});

it('a stream holds its place to its end', async () => {
  const { ask, limits, queue } = await limited({ concurrent_queries: 1 });
  const answered = Promise.withResolvers<void>();
  const { script } = queue;
  queue.script = async (job, options) => {
    await answered.promise;
    return script(job, options);
  };
  const response = await ask({ query: 'why?', stream: true });
  expect(limits.released).toEqual([]);
  answered.resolve();
  expect(eventsIn(await response.text()).at(-1)?.event).toBe('done');
  expect(limits.released).toHaveLength(1);
});

it.each([
  ['requests', 1200, 429, 'rate_limited', '2', 'rate_limit_error'],
  ['concurrent', 1000, 429, 'too_many_concurrent', '1', 'rate_limit_error'],
  ['reserved', 1000, 429, 'too_many_concurrent', '1', 'rate_limit_error'],
  ['minute_tokens', 30_000, 429, 'quota_exceeded', '30', 'insufficient_quota'],
  ['day_tokens', 3_600_000, 429, 'quota_exceeded', '3600', 'insufficient_quota'],
] as const)('refused by %s', async (refusedBy, waitMs, status, code, after, openAiType) => {
  const { ask, limits, queue, metrics } = await limited({ requests_per_minute: 60, concurrent_queries: 1 });
  limits.verdict = () => ({ ...counted, refusedBy, waitMs });
  const response = await ask();
  expect(response.status).toBe(status);
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  expect(response.headers.get('retry-after')).toBe(after);
  expect(response.headers.get('ratelimit')).toBe('"requests";r=59;t=1');
  expect(await response.json()).toMatchObject({ code, status, retry_after_ms: waitMs, retryable: true });
  const ofOpenAi = await ask(chat, '/v1/chat/completions');
  expect(ofOpenAi.status).toBe(429);
  expect(await ofOpenAi.json()).toMatchObject({ error: { code, type: openAiType } });
  expect(queue.submitted).toEqual([]);
  expect(limits.released).toEqual([]);
  expect((await metrics.render()).body).toMatch(
    /api_gateway_admission_rejected_total\{[^}]*reason="limit"[^}]*\} 2/,
  );
});

it('counts every request of the key, those that cannot be read too; open routes and strangers do not count', async () => {
  const { ask, get, app, limits, queue } = await limited({ requests_per_minute: 60 });
  limits.verdict = () => counted;
  const unreadable = await ask({ qurey: 'why?' });
  expect(unreadable.status).toBe(422);
  expect(unreadable.headers.get('ratelimit')).toBe('"requests";r=59;t=1');
  await get('/api/documents');
  expect(limits.judged.map(({ query }) => query)).toEqual([null, null]);
  await get('/healthz');
  expect((await app.request('/api/documents')).status).toBe(401);
  expect(limits.judged).toHaveLength(2);
  limits.verdict = () => ({ ...counted, refusedBy: 'requests', waitMs: 10 });
  expect((await ask({ qurey: 'why?' })).status).toBe(429);
  expect((await get('/api/documents')).status).toBe(429);
  expect(queue.submitted).toEqual([]);
});

it('a Redis that is away is 503, never a free pass and never the key’s fault', async () => {
  const { ask, get, limits, queue } = await limited({ requests_per_minute: 60 });
  limits.verdict = () => {
    throw new QueueUnavailable('away');
  };
  for (const response of [await ask(), await get('/api/documents')]) {
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ code: 'queue_unavailable' });
  }
  expect(queue.submitted).toEqual([]);
});

it('so many documents and bytes, at every gateway of the registry; nothing is kept of one more', async () => {
  const { handIn, limits, registry, get } = await limited({ documents: 2, bytes: 100 });
  expect((await handIn('one')).status).toBe(202);
  // The same again is nothing more.
  expect((await handIn('one')).status).toBe(200);
  const tooLarge = await handIn('x'.repeat(98));
  expect(tooLarge.status).toBe(429);
  expect(await tooLarge.json()).toMatchObject({
    code: 'quota_exceeded',
    retryable: false,
    detail: expect.stringContaining('100 bytes') as unknown,
  });
  expect(tooLarge.headers.has('retry-after')).toBe(false);
  expect((await handIn('two')).status).toBe(202);
  for (const path of ['/api/documents', '/ingest']) {
    const refused = await handIn('three', path);
    expect(refused.status).toBe(429);
    expect(await refused.json()).toMatchObject({ code: 'quota_exceeded' });
  }
  expect(limits.judged).toEqual([]);
  const { documents } = (await (await get('/api/documents')).json()) as { documents: { id: string }[] };
  expect(documents).toHaveLength(2);
  await registry.deleteDocument('shop', documents[0]?.id ?? '');
  expect((await handIn('three')).status).toBe(202);
});

it('counts texts on the light way as they come, not when a worker has taken them', async () => {
  const { handIn, registry, queue } = await limited({ documents: 5 });
  const texts = Array.from({ length: 20 }, (_, number) => `text ${number}`);
  const statuses = await Promise.all(texts.map(async (text) => (await handIn(text, '/ingest')).status));
  expect(statuses.filter((status) => status === 202)).toHaveLength(5);
  expect(statuses.filter((status) => status === 429)).toHaveLength(15);
  expect(await registry.listDocuments('shop')).toHaveLength(5);
  expect(queue.submitted).toHaveLength(5);
  // What is there already is nothing more.
  const present = texts[statuses.indexOf(202)] ?? '';
  expect((await handIn(present, '/ingest')).status).toBe(202);
});

it('limits are given with the key, and shown', async () => {
  const { post } = await gatewayUnderTest();
  const bounds = {
    requests_per_minute: 60,
    burst: 5,
    tokens_per_day: 1,
    concurrent_queries: 2,
    documents: 3,
    bytes: 4,
  };
  const made = await post('/api/keys', { scopes: ['admin'], limits: bounds });
  expect(await made.json()).toMatchObject({ limits: bounds });
  for (const bad of [
    { requests_per_minute: 0 },
    { burst: 5 },
    { burst: 1.5 },
    { queries: 1 },
    { bytes: '4' },
  ]) {
    const other = await gatewayUnderTest();
    expect((await other.post('/api/keys', { scopes: ['admin'], limits: bad })).status).toBe(422);
  }
});
