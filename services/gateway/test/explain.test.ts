import { problem, queryExplanation, queryResponse, sumOfTimings } from '@vortex/contracts';
import { describe, expect, it } from 'vitest';
import { eventsIn, failed, gatewayUnderTest } from './gateway-under-test.ts';

const retrieved = {
  ...{ collection: 'books', mode: 'hybrid', top_k: 1, outcome: 'prompt', degraded: [] },
  relevance: { floor: 0.26, best: 0.7, found_by_words: false },
  cache: { embedding: 'miss', retrieval: 'bypass' },
  ranked: { dense: 100, sparse: 3 },
  candidates: [
    {
      ...{ rank: 1, document_id: 'doc_1', chunk_id: 'chk_1', title: 'Flow', fused: 0.03, cosine: 0.7 },
      ...{ dense: { score: 0.7, rank: 1 }, sparse: { score: 4, rank: 2 }, tokens: 100, dropped: null },
    },
  ],
  prompt: { passage_tokens: { allowed: 2000, used: 100 }, passages: 1 },
};
const generated = {
  ...{ worker: 'llm_generator_1', replica: 'http://r1', provider: 'openai', model: 'm', finish: 'stop' },
  tokens: { prompt: 140, answer: { allowed: 512, used: 9 } },
  citations: {
    kept: [{ marker: 1, chunk_id: 'chk_1', answer_span: [0, 45] }],
    removed: [{ marker: 4, reason: 'no_such_passage' }],
    ...{ kept_count: 1, removed_count: 1 },
  },
  degraded: ['invented_citation_removed'],
};
const tried = { kind: 'failed', stage: 'generate', worker: 'llm_generator_2', reason: 'refused', ms: 3 };
const ended = {
  ...{ status: 'completed', stage: 'generate', error: null, attempt: 2, redelivered: 0, tries: [tried] },
  timings_ms: { queue_encode: 1, encode: 4, retry_generate: 20, queue_generate: 2, generate: 9 },
};

async function asked(body: object = {}) {
  const gateway = await gatewayUnderTest();
  const explain = async (id: string) => gateway.app.request(`/api/queries/${id}/explain`);
  const story = async (id: string) => queryExplanation.parse(await (await explain(id)).json());
  /** What the workers of this question would have written. */
  const told = (id: string, parts: object) => {
    const key = `${id} default`;
    gateway.explain.stories.set(key, { ...gateway.explain.stories.get(key), ...parts });
  };
  const reply = await gateway.post('/query', { query: 'Which list?', ...body }, { traceparent });
  return { gateway, reply, explain, story, told };
}
const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

describe('GET /api/queries/{id}/explain', () => {
  it('tells what its stages wrote, and the durations that the client was told', async () => {
    const { reply, story, told } = await asked();
    const answer = queryResponse.parse(await reply.json());
    told(answer.id, { retrieve: retrieved, generate: generated });
    const { request, waterfall, ...rest } = await story(answer.id);
    expect(rest).toMatchObject({
      ...{ id: answer.id, status: 'completed', timings_ms: answer.timings_ms, error: null, missing: [] },
      ...{ retrieval: retrieved, generation: generated, degraded: ['invented_citation_removed'], tries: [] },
    });
    expect(request).toMatchObject({
      ...{ request_id: answer.request_id, mode: 'sync', question: 'Which list?', cache: 'bypass' },
      ...{ trace_id: '4bf92f3577b34da6a3ce929d0e0e4736', worker: answer.worker },
    });
    const last = waterfall.at(-1);
    expect((last?.start_ms ?? 0) + (last?.ms ?? 0)).toBeCloseTo(sumOfTimings(answer.timings_ms), 0);
    expect(waterfall.map(({ name }) => name)).toEqual(
      Object.keys(answer.timings_ms).filter((name) => name !== 'first_token' && name !== 'total'),
    );
  });

  it('of a question that failed, with its tries and the stage that gave up', async () => {
    const { gateway, explain, told } = await asked();
    gateway.queue.script = async ({ id }) => failed(id, 'generator_failed', 'gave up');
    const reply = await gateway.post('/query', { query: 'a' });
    expect(reply.status).toBe(502);
    const { id = '' } = problem.parse(await reply.json());
    told(id, { end: { ...ended, status: 'failed' } });
    const shown = queryExplanation.parse(await (await explain(id)).json());
    expect(shown).toMatchObject({
      ...{ status: 'failed', tries: [tried], attempt: 2 },
      error: { code: 'generator_failed', message: 'gave up', stage: 'generate' },
      timings_ms: { retry_generate: 20, generate: 9 },
    });
  });

  it('of a stream, in the same words', async () => {
    const { reply, story } = await asked({ stream: true });
    const done = eventsIn(await reply.text()).at(-1)?.data as { id: string; timings_ms: object };
    expect(await story(done.id)).toMatchObject({
      request: { mode: 'stream' },
      timings_ms: done.timings_ms,
      missing: ['retrieve', 'generate'],
    });
  });

  it('of an asynchronous question, first that it is queued, then how its worker ended it', async () => {
    const { reply, story, told } = await asked({ async: true });
    const { job_id: id } = (await reply.json()) as { job_id: string };
    const queued = await story(id);
    expect(queued).toMatchObject({ status: 'queued', request: { mode: 'async' }, missing: [] });
    for (const ms of Object.values(queued.timings_ms)) expect(ms).toBe(Math.round(ms * 100) / 100);
    told(id, { end: ended, retrieve: retrieved, generate: generated });
    const { status, timings_ms } = await story(id);
    expect(status).toBe('completed');
    expect(timings_ms).toMatchObject({ admit: expect.any(Number), ...ended.timings_ms });
    expect(timings_ms.total).toBeCloseTo(sumOfTimings(timings_ms), 1);
  });

  it('of a search, without a generator', async () => {
    const { gateway, story, told } = await asked();
    gateway.queue.script = async ({ id }) =>
      JSON.stringify({
        ...{ id, v: 1, attempt: 1, status: 'completed', timings_ms: { retrieve: 2 } },
        ...{ hits: [], collection: 'books', mode: 'dense', degraded: [] },
      });
    const found = (await (await gateway.post('/search', { query: 'a' })).json()) as { id: string };
    told(found.id, { retrieve: { ...retrieved, outcome: 'hits', prompt: null, relevance: null } });
    expect(await story(found.id)).toMatchObject({ request: { mode: 'search' }, missing: [] });
  });

  it('a part of another version, or one that is none, is missing; the rest is told', async () => {
    const { reply, story, told } = await asked();
    const { id } = queryResponse.parse(await reply.json());
    told(id, { retrieve: { mode: 'by feel' }, generate: null });
    expect(await story(id)).toMatchObject({ retrieval: null, missing: ['retrieve', 'generate'] });
  });

  it('misses the end of a question that was tried more than once, and not of any other', async () => {
    const { gateway, reply, story, told } = await asked();
    const { id } = queryResponse.parse(await reply.json());
    told(id, { retrieve: retrieved, generate: generated });
    expect((await story(id)).missing).toEqual([]);
    const request = gateway.explain.stories.get(`${id} default`)?.gateway as object;
    told(id, { gateway: { ...request, attempt: 2 } });
    expect((await story(id)).missing).toEqual(['end']);
    told(id, { end: ended });
    expect((await story(id)).missing).toEqual([]);
  });

  it('404 for an id that is unknown, or of another tenant', async () => {
    const { gateway, explain } = await asked();
    gateway.explain.note({ id: 'qry_theirs', tenant: 'other' }, 'retrieve', () => retrieved);
    for (const id of ['qry_theirs', 'qry_unknown', '%20', 'x'.repeat(201)]) {
      const reply = await explain(id);
      expect([reply.status, problem.parse(await reply.json()).code]).toEqual([404, 'not_found']);
    }
  });

  it('looks again when the cache was late once', async () => {
    const { gateway, reply, explain } = await asked();
    const { id } = queryResponse.parse(await reply.json());
    const { read } = gateway.explain;
    let isLate = true;
    gateway.explain.read = async (query) => {
      if (!isLate) return read.call(gateway.explain, query);
      isLate = false;
      return 'unavailable';
    };
    expect((await explain(id)).status).toBe(200);
    expect(isLate).toBe(false);
  });

  it('says why there are no stories, and when they are out of reach', async () => {
    const { gateway, explain } = await asked();
    gateway.explain.isAvailable = false;
    const away = await explain('qry_1');
    expect([away.status, problem.parse(await away.json()).code]).toEqual([503, 'explain_unavailable']);
    gateway.explain.on = false;
    const none = problem.parse(await (await explain('qry_1')).json());
    expect(none).toMatchObject({ status: 404, detail: expect.stringContaining('CACHE_REDIS_URL') });
  });

  it('holds neither passages nor the answer', async () => {
    const { gateway, reply } = await asked();
    const answer = queryResponse.parse(await reply.json());
    const kept = JSON.stringify([...gateway.explain.stories.values()]);
    expect(kept).toContain(answer.request_id);
    expect(kept).not.toContain(answer.answer);
    expect(kept).not.toContain(answer.sources[0]?.excerpt);
  });
});
