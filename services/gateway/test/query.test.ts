import {
  type FailureCode,
  failures,
  jobAccepted,
  problem,
  queryResponse,
  searchResponse,
  sumOfTimings,
} from '@vortex/contracts';
import { QueueFull, QueueUnavailable } from '@vortex/queue';
import { describe, expect, it } from 'vitest';
import { completed, envelopeOf, failed, gatewayUnderTest, sampleAnswer } from './gateway-under-test.ts';

const never = () => new Promise<string>(() => {});

describe('POST /query', () => {
  it('answers as the contract says, with its own timings added', async () => {
    const { post, queue } = await gatewayUnderTest();
    const response = await post('/query', { query: ' Which list? ', top_k: 3 }, { 'X-Request-Id': 'mine-1' });
    expect(response.status).toBe(200);
    const body = queryResponse.parse(await response.json());
    expect(body).toMatchObject({ ...sampleAnswer, request_id: 'mine-1', attempt: 1 });
    expect(body.id).toMatch(/^qry_/);
    expect(Object.keys(body.timings_ms)).toEqual(
      'receive cache_lookup admit queue_encode encode queue_retrieve retrieve queue_generate first_token generate deliver reply total'.split(
        ' ',
      ),
    );
    expect(response.headers.get('x-request-id')).toBe('mine-1');
    expect(response.headers.get('server-timing')).toMatch(
      /^receive;dur=[\d.]+, .*encode;dur=3\.1.*total;dur=/,
    );
    expect(queue.submitted).toHaveLength(1);
    expect(queue.submitted[0]).toMatchObject({
      list: 'job:encoder_in',
      lane: 'interactive',
      id: body.id,
      envelope: { id: body.id, v: 1, tenant: 'default', attempt: 1, query: 'Which list?', top_k: 3 },
    });
    expect(queue.submitted[0]?.candidates?.map(({ url }) => url).sort()).toEqual(['http://r1', 'http://r2']);
  });

  it('names all of its time: the durations add up to the total', async () => {
    const { post, queue } = await gatewayUnderTest();
    const measured = { queue_encode: 0.01, retry_generate: 0.07, first_token: 0.02, generate: 0.03 };
    queue.script = async ({ id }) => JSON.stringify({ ...JSON.parse(completed(id)), timings_ms: measured });
    const { timings_ms } = queryResponse.parse(await (await post('/query', { query: 'a' })).json());
    expect(timings_ms).toMatchObject(measured);
    expect(sumOfTimings(timings_ms)).toBeCloseTo(timings_ms.total ?? 0, 1);
  });

  it('gives the job the deadline asked for, and one minute without', async () => {
    const { post, queue } = await gatewayUnderTest();
    const before = Date.now();
    await post('/query', { query: 'a', deadline_ms: 300_000 });
    await post('/query', { query: 'b' });
    const after = Date.now();
    const [asked = 0, usual = 0] = queue.submitted.map(({ deadlineAt }) => deadlineAt);
    expect(asked).toBeGreaterThanOrEqual(before + 300_000);
    expect(asked).toBeLessThanOrEqual(after + 300_000);
    expect(usual).toBeGreaterThanOrEqual(before + 60_000);
    expect(usual).toBeLessThanOrEqual(after + 60_000);
  });

  it('carries the trace on, under a parent of its own', async () => {
    const { post, queue } = await gatewayUnderTest();
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    await post('/query', { query: 'a' }, { traceparent });
    const carried = envelopeOf(queue.submitted[0]).traceparent;
    expect(carried).toMatch(/^00-4bf92f3577b34da6a3ce929d0e0e4736-[0-9a-f]{16}-01$/);
    expect(carried).not.toBe(traceparent);
  });

  it('passes the caller’s trace state on, with a trace that can be read', async () => {
    const { post, queue } = await gatewayUnderTest();
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    await post('/query', { query: 'a' }, { traceparent, tracestate: 'vendor=1' });
    await post('/query', { query: 'a' }, { traceparent: 'nonsense', tracestate: 'vendor=1' });
    await post('/query', { query: 'a' }, { traceparent, tracestate: `v=${'x'.repeat(600)}` });
    expect(queue.submitted.map((job) => envelopeOf(job).tracestate)).toEqual([
      'vendor=1',
      undefined,
      undefined,
    ]);
  });

  it('makes a request id of its own when the one it gets is none', async () => {
    const { post } = await gatewayUnderTest();
    for (const asked of ['', 'x'.repeat(129), 'two words']) {
      const response = await post('/query', { query: 'a' }, { 'X-Request-Id': asked });
      expect(response.headers.get('x-request-id')).toMatch(/^req_/);
    }
  });

  it('shows a refusal as an answer', async () => {
    const { post, queue } = await gatewayUnderTest();
    const refusal = { reason: 'no_relevant_context', floor: 0.25, best: 0.1 };
    queue.script = async ({ id }) =>
      completed(id, { ...sampleAnswer, answered: false, refusal, citations: [], worker: null });
    const response = await post('/query', { query: 'a' });
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ answered: false, refusal, worker: null });
  });

  it.each(Object.entries(failures))('answers %s with its status', async (code, { status, title }) => {
    const { post, queue } = await gatewayUnderTest();
    queue.script = async ({ id }) => failed(id, code as FailureCode);
    const response = await post('/query', { query: 'a' });
    expect(response.status).toBe(status);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    const body = problem.parse(await response.json());
    expect(body).toMatchObject({ code, status, title, stage: 'generate', instance: '/query' });
    expect(body.timings_ms).toMatchObject({ queue_encode: 2, encode: 4 });
  });

  it('gives up after the deadline: 504 with the timings it has, and the job cancelled', async () => {
    const { post, queue } = await gatewayUnderTest();
    queue.script = never;
    const response = await post('/query', { query: 'a', deadline_ms: 1 });
    expect(response.status).toBe(504);
    const body = problem.parse(await response.json());
    expect(body).toMatchObject({ code: 'deadline_exceeded', retryable: true, id: queue.submitted[0]?.id });
    expect(response.headers.get('x-vortex-query-id')).toBe(body.id);
    expect(Object.keys(body.timings_ms ?? {})).toEqual([
      'receive',
      'cache_lookup',
      'admit',
      'deliver',
      'total',
    ]);
    expect(queue.cancelled).toEqual(queue.submitted.map(({ id }) => id));
  });

  it('counts whole, degraded and refused answers apart, streamed or not', async () => {
    const { post, queue, metrics } = await gatewayUnderTest();
    const answers = [
      sampleAnswer,
      { ...sampleAnswer, degraded: ['answer_cut_to_deadline'] },
      { ...sampleAnswer, answered: false, degraded: ['answer_cut_to_deadline'] },
    ];
    for (const stream of [false, true]) {
      for (const answer of answers) {
        queue.script = async ({ id }) => completed(id, answer);
        await (await post('/query', { query: 'a', stream })).text();
      }
    }
    const { body } = await metrics.render();
    const counted = [
      ...body.matchAll(/api_gateway_queries_total\{outcome="(\w+)",mode="(\w+)".*\} ([1-9])/g),
    ];
    expect(counted.map(([, ...said]) => said.join(' ')).sort()).toEqual([
      ...['degraded stream 1', 'degraded sync 1', 'ok stream 1', 'ok sync 1'],
      ...['refused stream 1', 'refused sync 1'],
    ]);
  });

  it('cancels the job of a client that has left', async () => {
    const { app, queue, metrics } = await gatewayUnderTest();
    const client = new AbortController();
    queue.script = () => {
      client.abort();
      return never();
    };
    await app.request('/query', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: '{"query":"a"}',
      signal: client.signal,
    });
    expect(queue.cancelled).toEqual(queue.submitted.map(({ id }) => id));
    expect((await metrics.render()).body).toMatch(
      /api_gateway_queries_total\{outcome="cancelled",mode="sync".*\} 1/,
    );
  });

  it('queues nothing for a collection it does not know', async () => {
    const { post, queue, registry } = await gatewayUnderTest();
    const response = await post('/query', { query: 'a', collection: 'nowhere' });
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ code: 'collection_not_found' });
    expect(queue.submitted).toEqual([]);
    await registry.ensureCollection({ tenant: 'default', name: 'nowhere' });
    expect((await post('/query', { query: 'a', collection: 'nowhere' })).status).toBe(200);
    expect((await post('/query', { query: 'a', collection: 'default' })).status).toBe(200);
  });

  it('answers 503 and says when to come back while the queue is away or full', async () => {
    const { post, queue } = await gatewayUnderTest();
    queue.script = async () => Promise.reject(new QueueUnavailable('redis is away'));
    const away = await post('/query', { query: 'a' });
    queue.script = async () => Promise.reject(new QueueFull(5000));
    const full = await post('/query', { query: 'a' });
    expect([away.status, full.status]).toEqual([503, 503]);
    expect(await away.json()).toMatchObject({ code: 'queue_unavailable', retryable: true });
    expect(problem.parse(await full.json()).code).toBe('queue_full');
    expect(Number(full.headers.get('retry-after'))).toBeGreaterThanOrEqual(4);
    expect(Number(full.headers.get('retry-after'))).toBeLessThanOrEqual(6);
  });

  it('takes a failure code it does not know for an internal error', async () => {
    const { post, queue } = await gatewayUnderTest();
    queue.script = async ({ id }) => failed(id, 'from_the_future' as FailureCode);
    const response = await post('/query', { query: 'a' });
    expect(response.status).toBe(500);
    expect(await response.json()).toMatchObject({ code: 'internal' });
  });

  it('answers internal, without the cause, for what nobody expected', async () => {
    const { post, queue } = await gatewayUnderTest();
    queue.script = async () => Promise.reject(new Error('secret path /etc/passwd'));
    const response = await post('/query', { query: 'a' });
    expect(response.status).toBe(500);
    const body = await response.text();
    expect(body).not.toContain('secret');
    expect(JSON.parse(body)).toMatchObject({ code: 'internal' });
  });
});

describe('POST /query with async', () => {
  it('queues with a tracked job and tells where to ask', async () => {
    const { post, queue } = await gatewayUnderTest();
    const response = await post('/query', { query: 'a', async: true });
    expect(response.status).toBe(202);
    const body = jobAccepted.parse(await response.json());
    expect(body).toEqual({ job_id: body.job_id, status: 'queued', status_url: `/api/jobs/${body.job_id}` });
    expect(response.headers.get('location')).toBe(body.status_url);
    expect(queue.submitted[0]).toMatchObject({ id: body.job_id, track: { type: 'query', maxRetries: 2 } });
  });

  it('answers 503 when the queue does not take it', async () => {
    const { post, queue } = await gatewayUnderTest();
    queue.admit = async () => Promise.reject(new QueueUnavailable('redis is away'));
    expect((await post('/query', { query: 'a', async: true })).status).toBe(503);
  });
});

describe('POST /search', () => {
  it('asks for hits and takes no generator’s slot', async () => {
    const { post, queue } = await gatewayUnderTest();
    const hits = sampleAnswer.sources.map(({ rank, used_in_prompt, excerpt, ...place }) => ({
      ...place,
      text: excerpt,
      version: 1,
      scores: { dense: { score: place.score, rank: 1 }, sparse: null, fused: 0.03 },
      context: '',
      metadata: { lang: 'en' },
    }));
    queue.script = async ({ id }) => completed(id, { hits, collection: 'c', mode: 'hybrid', degraded: [] });
    const filter = {
      all: [{ field: 'lang', op: 'eq', value: 'en' }, { not: { field: 'old', op: 'exists' } }],
    };
    const asked = { top_k: 200, mode: 'hybrid', filter, neighbours: 2 };
    const response = await post('/search', { query: 'a', ...asked });
    expect(response.status).toBe(200);
    expect(searchResponse.parse(await response.json())).toMatchObject({ mode: 'hybrid', hits });
    expect(queue.submitted[0]?.envelope).toMatchObject({ want: 'hits', ...asked });
    expect(queue.submitted[0]).not.toHaveProperty('candidates');
  });

  it('passes mode and filter of a question on as well', async () => {
    const { post, queue } = await gatewayUnderTest();
    const asked = { mode: 'sparse', filter: { field: 'year', op: 'gte', value: 2024 } };
    await post('/query', { query: 'a', ...asked });
    expect(queue.submitted[0]?.envelope).toMatchObject(asked);
    expect(
      (await post('/search', { query: 'a', filter: { field: 'year', op: 'about', value: 1 } })).status,
    ).toBe(422);
  });
});
