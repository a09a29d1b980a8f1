import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Summary } from '@vortex/loadtest';
import { Redis } from 'ioredis';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, getJson, postJson, streamEvents } from './http.ts';
import { type CollectedSpan, type Collector, startCollector } from './otlp.ts';
import { type Stack, startStack } from './stack.ts';

/** One piece: starting a stack takes longer than all of these tests, and none of them breaks it for the next. */
const latencyMs = 250;
let stack: Stack;
let redis: Redis;
let collector: Collector;

beforeAll(async () => {
  collector = await startCollector();
  stack = await startStack({
    set: [`mock_llm.latency_ms=${latencyMs}`, 'mock_llm.tokens_per_second=60'],
    // Only what a caller wants to see traced is.
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_TRACES_SAMPLER: 'parentbased_always_off',
      OTEL_BSP_SCHEDULE_DELAY: '200',
    },
  });
  redis = new Redis(stack.redisUrl);
});
afterAll(async () => {
  redis?.disconnect();
  await stack?.stop();
  await collector?.close();
});

const ask = (query: string, more: Record<string, unknown> = {}) =>
  postJson(`${stack.url}/query`, { query, collection: 'vortex-docs', cache: 'bypass', ...more });

async function loads(): Promise<Record<string, string | null>> {
  const keys = (await redis.keys('llm:load:*')).sort();
  return Object.fromEntries(await Promise.all(keys.map(async (key) => [key, await redis.get(key)] as const)));
}

async function expectIdle(): Promise<void> {
  await eventually(
    async () => {
      const all = Object.values(await loads());
      return all.length === 3 && all.every((load) => load === '0');
    },
    15_000,
    'every llm:load:* at 0',
  );
  const lists = await redis.keys('job:*_in*');
  const lengths = await Promise.all(
    lists.map(async (key) => [key, (await redis.type(key)) === 'list' ? await redis.llen(key) : 0] as const),
  );
  expect(lengths.filter(([key, length]) => length > 0 && !key.endsWith(':dead'))).toEqual([]);
}

describe('a question', () => {
  it('gets an answer whose citations stand at their offsets', async () => {
    // No collection named: `default` is empty, so the read falls back to vortex-docs.
    const { status, body } = await postJson(`${stack.url}/query`, {
      query: 'Which Redis list does the retriever read from?',
    });
    expect(status).toBe(200);
    expect(body).toMatchObject({ answered: true, refusal: null, collection: 'vortex-docs' });
    expect(body.citations.length).toBeGreaterThan(0);
    for (const citation of body.citations) {
      const text = await (await fetch(`${stack.url}/api/documents/${citation.document_id}/text`)).text();
      expect(text.slice(...(citation.source_span as [number, number]))).toBe(citation.excerpt);
    }
    expect(body.worker).toMatch(/^llm_generator_[123]$/);
    expect(Object.keys(body.timings_ms)).toEqual(
      expect.arrayContaining([
        'admit',
        'queue_encode',
        'encode',
        'queue_retrieve',
        'retrieve',
        'queue_generate',
        'first_token',
        'generate',
        'deliver',
        'total',
      ]),
    );
  });

  it('is refused honestly when nothing relevant is stored', async () => {
    const { body } = await ask('What is the boiling point of dodecane in the upper mantle?');
    expect(body).toMatchObject({ answered: false, worker: null, refusal: { reason: 'no_relevant_context' } });
  });

  it('finds ranked chunks without a model call', async () => {
    const { status, body } = await postJson(`${stack.url}/search`, { query: 'append-only file', top_k: 3 });
    expect(status).toBe(200);
    expect(body.hits).toHaveLength(3);
    expect(body.hits[0].score).toBeGreaterThanOrEqual(body.hits[1].score);
  });

  it('can be asked asynchronously', async () => {
    const { status, body } = await ask('Where do dead letters go?', { async: true });
    expect(status).toBe(202);
    expect(body.status).toBe('queued');
    const job = await eventually(
      async () => {
        const reply = await getJson(`${stack.url}/api/jobs/${body.job_id}`);
        return reply.body.status === 'completed' ? reply.body : null;
      },
      20_000,
      'the job completes',
    );
    expect(job.result.answered).toBe(true);
    expect(await redis.ttl(`job:${body.job_id}`)).toBeGreaterThan(3000);
  });
});

describe('fifty questions at once', () => {
  it('are all answered, by three replicas in fair shares, and leave nothing behind', async () => {
    await expectIdle();
    const before = new Set(await redis.keys('*'));
    const replies = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        ask(`What happens to job number ${index} when a worker dies?`),
      ),
    );
    expect(replies.map(({ status }) => status)).toEqual(Array(50).fill(200));
    const shares = new Map<string, number>();
    for (const { body } of replies) shares.set(body.worker, (shares.get(body.worker) ?? 0) + 1);
    for (const name of ['llm_generator_1', 'llm_generator_2', 'llm_generator_3']) {
      expect(shares.get(name) ?? 0, `${name} of ${JSON.stringify([...shares])}`).toBeGreaterThanOrEqual(13);
      expect(shares.get(name) ?? 0).toBeLessThanOrEqual(21);
    }
    await expectIdle();
    for (const key of await redis.keys('*')) {
      if (before.has(key)) continue;
      expect(await redis.ttl(key), `${key} came without a TTL`).toBeGreaterThan(0);
    }
  });
});

describe('an envelope pushed by hand', () => {
  it('completes with id and query alone', async () => {
    await redis.rpush('job:encoder_in', '{"id":"hand-1","query":"What is a lease?"}');
    const completion = await eventually(() => redis.get('job:completion:hand-1'), 20_000, 'hand-1 completes');
    expect(JSON.parse(completion)).toMatchObject({ id: 'hand-1', status: 'completed', answered: true });
    const ttl = await redis.ttl('job:completion:hand-1');
    expect(ttl).toBeGreaterThan(0);
    expect(ttl).toBeLessThanOrEqual(60);
  });

  it('that cannot be read becomes a dead letter while others go on', async () => {
    const bad = [
      '{"id":"hand-2"',
      '{"id":"hand-3","v":99,"query":"x"}',
      '{"id":"hand-4"}',
      `{"id":"hand-5","query":"${'y'.repeat(5_000_000)}"}`,
    ];
    const deadBefore = await redis.llen('job:encoder_in:dead');
    const [good] = await Promise.all([ask('What is a dead letter?'), redis.rpush('job:encoder_in', ...bad)]);
    expect(good.status).toBe(200);
    await eventually(
      async () => (await redis.llen('job:encoder_in:dead')) === deadBefore + 4,
      15_000,
      'four dead letters',
    );
    const letters = (await redis.lrange('job:encoder_in:dead', 0, -1)).map((letter) => JSON.parse(letter));
    for (const letter of letters) expect(letter.reason.length).toBeGreaterThan(5);
    expect(Math.max(...letters.map(({ raw }) => raw.length))).toBeLessThan(200_000);
  });

  it('ingests the seeds’ raw body', async () => {
    const marker = `The lighthouse of Karst was painted violet in ${Date.now()}.`;
    await redis.rpush(
      'ingestion_queue',
      JSON.stringify({
        user_id: 'u1',
        document_id: 'karst',
        content: `${marker} Its keeper is called Orla.`,
      }),
    );
    const found = await eventually(
      async () => {
        const { body } = await postJson(`${stack.url}/search`, {
          query: 'lighthouse of Karst violet',
          collection: 'default',
        });
        return body.hits?.find(({ text }: { text: string }) => text.includes(marker));
      },
      30_000,
      'the document is found',
    );
    expect(found.document_id).toMatch(/^doc_/);
  });
});

describe('a document', () => {
  it('is ingested, found, cited, and replaced by the same id', async () => {
    const ingest = async (content: string) => {
      const { status, body } = await postJson(`${stack.url}/ingest`, {
        user_id: 'u1',
        document_id: 'tower',
        collection: 'towers',
        content,
      });
      expect(status).toBe(202);
      expect(body).toMatchObject({ status: 'accepted', data: 'tower' });
      await eventually(
        async () => (await getJson(`${stack.url}/api/jobs/${body.job_id}`)).body.status === 'completed',
        30_000,
        'ingest completes',
      );
    };
    await ingest(
      '# Towers\n\nThe Quillon tower is 318 metres tall.\n\n## Opening\n\nIt opened in 1987 🗼 with a parade.',
    );
    const first = await ask('How tall is the Quillon tower?', { collection: 'towers', cache: 'default' });
    expect(first.body.answer).toContain('318');
    await ingest('# Towers\n\nThe Quillon tower is 402 metres tall after its new mast.');
    const second = await ask('How tall is the Quillon tower?', { collection: 'towers', cache: 'default' });
    expect(second.body.answer).toContain('402');
    // Not in the whole body: a replica's port may hold the number.
    const { answer, citations, sources } = second.body;
    expect(JSON.stringify([answer, citations, sources])).not.toContain('318');
  });
});

describe('a stream', () => {
  it('shows sources first, spreads its deltas, and ends with the answer', async () => {
    const events = await streamEvents(`${stack.url}/query`, {
      query: 'What happens when a worker dies?',
      collection: 'vortex-docs',
      cache: 'bypass',
      stream: true,
    });
    const names = events.map(({ event }) => event);
    expect(names[0]).toBe('start');
    expect(names.indexOf('sources')).toBeLessThan(names.indexOf('delta'));
    expect(names.at(-1)).toBe('done');
    const deltas = events.filter(({ event }) => event === 'delta');
    expect(deltas.length).toBeGreaterThan(3);
    const done = JSON.parse(events.at(-1)?.data ?? '{}');
    expect(deltas.map(({ data }) => JSON.parse(data).text).join('')).toBe(done.answer);
    expect(done.citations.length).toBeGreaterThan(0);
  });

  it('frees the slot of a client that leaves', async () => {
    await expectIdle();
    await streamEvents(
      `${stack.url}/query`,
      { query: 'What happens when a worker dies?', collection: 'vortex-docs', cache: 'bypass', stream: true },
      ({ event }) => event === 'delta',
    );
    await eventually(
      async () => Object.values(await loads()).every((load) => load === '0'),
      2_000,
      'the slot is free',
    );
  });
});

describe('a traced question', () => {
  const traceOf = (seed: string) => seed.repeat(32).slice(0, 32);
  const callerSpan = 'c0ffee0000000001';
  /** Questions that are traced while all of them are under way. */
  const volley = 50;
  const traced = (traceId: string) => ({
    headers: { traceparent: `00-${traceId}-${callerSpan}-01`, tracestate: 'vendor=7' },
  });
  const spansOf = (traceId: string, fits: (spans: readonly CollectedSpan[]) => boolean) =>
    eventually(
      async () => {
        const spans = collector.ofTrace(traceId);
        return fits(spans) ? spans : null;
      },
      15_000,
      `the spans of ${traceId}`,
    );
  const has = (spans: readonly CollectedSpan[], name: string) => spans.some((span) => span.name === name);

  it('is one trace: the caller’s, with every wait, every stage and the call of the model', async () => {
    const traceId = traceOf('a1');
    const secret = 'aubergine';
    const { body } = await postJson(
      `${stack.url}/query`,
      {
        query: `Which list does the retriever read from, ${secret}?`,
        collection: 'vortex-docs',
        cache: 'bypass',
      },
      traced(traceId),
    );
    const spans = await spansOf(traceId, (known) => known.length >= 8);
    const root = spans.find(({ name }) => name === 'POST /query');
    if (root === undefined) throw new Error('the gateway has no span');
    expect(root).toMatchObject({ service: 'vortex-gateway', kind: 2, parentSpanId: callerSpan });
    expect(root.attributes).toMatchObject({ 'http.route': '/query', 'http.response.status_code': 200 });

    const places = {
      encode: ['vortex-encoder', 'job:encoder_in'],
      retrieve: ['vortex-retriever', 'job:retriever_in'],
      generate: ['vortex-llm-generator', 'job:llm_in'],
    } as const;
    for (const [stage, [service, list]] of Object.entries(places)) {
      const run = spans.find(({ name }) => name === stage);
      const wait = spans.find(({ name }) => name === `wait ${list}`);
      if (run === undefined || wait === undefined) throw new Error(`${stage} is missing`);
      expect([run.service, wait.service]).toEqual([service, service]);
      expect([run.parentSpanId, wait.parentSpanId]).toEqual([root.spanId, root.spanId]);
      expect(run.attributes).toMatchObject({ 'vortex.job.id': body.id, 'vortex.outcome': expect.anything() });
      expect(run.traceState).toBe('vendor=7');
      // The trace tells the same times as the answer.
      expect(Math.abs(run.endMs - run.startMs - body.timings_ms[stage])).toBeLessThan(2);
      expect(Math.abs(wait.endMs - wait.startMs - body.timings_ms[`queue_${stage}`])).toBeLessThan(2);
    }
    const generate = spans.find(({ name }) => name === 'generate');
    const call = spans.find(({ name }) => name.startsWith('chat '));
    expect(call).toMatchObject({ kind: 3, parentSpanId: generate?.spanId, failed: false });
    expect(call?.attributes).toMatchObject({
      'gen_ai.operation.name': 'chat',
      'gen_ai.usage.input_tokens': body.usage.prompt_tokens,
      'gen_ai.usage.output_tokens': body.usage.completion_tokens,
    });
    expect(spans).toHaveLength(8);
    // Neither what was asked nor what was answered.
    expect(JSON.stringify(spans)).not.toContain(secret);
    expect(JSON.stringify(spans)).not.toContain(body.answer.slice(0, 20));
  });

  it('tells the times of each answer though fifty are under way', async () => {
    const traceIds = Array.from({ length: volley }, (_, index) => traceOf(`c${(index + 16).toString(16)}`));
    const answers = await Promise.all(
      traceIds.map((traceId) =>
        postJson(
          `${stack.url}/query`,
          { query: 'What is a lease?', collection: 'vortex-docs', cache: 'bypass' },
          traced(traceId),
        ),
      ),
    );
    for (const [index, { status, body }] of answers.entries()) {
      expect(status).toBe(200);
      const spans = await spansOf(traceIds[index] ?? '', (known) => known.length >= 8);
      const named = {
        'POST /query': 'total',
        ...{ encode: 'encode', retrieve: 'retrieve', generate: 'generate' },
        ...{ 'wait job:encoder_in': 'queue_encode', 'wait job:retriever_in': 'queue_retrieve' },
      };
      for (const [name, timing] of Object.entries(named)) {
        const span = spans.find((one) => one.name === name);
        const tookMs = (span?.endMs ?? 0) - (span?.startMs ?? 0);
        expect(Math.abs(tookMs - body.timings_ms[timing]), `${name} of ${body.id}`).toBeLessThan(2);
      }
    }
  });

  it('that is tried again shows that in a trace of its own, linked to the first', async () => {
    const traceId = traceOf('b2');
    const traceparent = `00-${traceId}-${callerSpan}-01`;
    const id = `traced-${Date.now()}`;
    // Named, for `default` means this documentation only as long as no other test has stored anything there.
    const asked = { query: 'What is a lease?', collection: 'vortex-docs' };
    const again = { id, ...asked, traceparent, attempt: 2, enqueued_at: Date.now() };
    await redis.rpush('job:encoder_in', JSON.stringify(again));
    const spans = await spansOf(traceId, (known) => has(known, 'generate'));
    // Its later stages are first tries, and stand in the query's own trace.
    expect(has(spans, 'encode')).toBe(false);
    const retried = collector.spans().filter((span) => span.attributes['vortex.job.id'] === id);
    const encode = retried.find(({ name }) => name === 'encode');
    expect(encode).toMatchObject({ parentSpanId: '', links: [{ traceId, spanId: callerSpan }] });
    expect(encode?.attributes).toMatchObject({ 'vortex.attempt': 2 });
    const wait = collector.ofTrace(encode?.traceId ?? '').find(({ name }) => name === 'wait job:encoder_in');
    expect(wait?.parentSpanId).toBe(encode?.spanId);
  });

  it('is followed into documents by links: the upload to its request, each group to the upload', async () => {
    const traceId = traceOf('c3');
    const { status } = await postJson(
      `${stack.url}/ingest`,
      { user_id: 'u1', document_id: 'traced', collection: 'traced', content: 'The mast is 12 metres tall.' },
      traced(traceId),
    );
    expect(status).toBe(202);
    const linkedTo = (name: string, spanId: string) =>
      eventually(
        async () =>
          collector
            .spans()
            .find((span) => span.name === name && span.links.some((link) => link.spanId === spanId)),
        30_000,
        `${name} with a link to ${spanId}`,
      );
    const [request] = await spansOf(traceId, (known) => has(known, 'POST /ingest'));
    const upload = await linkedTo('upload', request?.spanId ?? '');
    expect(upload.parentSpanId).toBe('');
    expect(upload.traceId).not.toBe(traceId);
    for (const name of ['embed', 'store']) {
      const group = await linkedTo(name, upload.spanId);
      expect(group.parentSpanId).toBe('');
      expect(group.traceId).not.toBe(upload.traceId);
    }
  });

  it('is the only one that is traced', async () => {
    await ask('Where do dead letters go?');
    const traces = new Set(collector.spans().map(({ traceId }) => traceId));
    const followed = collector
      .spans()
      .filter(({ links, parentSpanId }) => links.length > 0 && parentSpanId === '');
    expect(traces.size).toBe(3 + volley + followed.length);
  });
});

describe('bad requests', () => {
  const cases: [string, number, string, () => Promise<Response>][] = [
    ['invalid JSON', 400, 'invalid_json', () => send('{"query":')],
    ['an empty query', 422, 'validation', () => send('{"query":"  "}')],
    ['a 100 kB query', 422, 'validation', () => send(JSON.stringify({ query: 'x'.repeat(100_000) }))],
    ['wrong types', 422, 'validation', () => send('{"query":7,"top_k":"many"}')],
    ['an unknown field', 422, 'validation', () => send('{"query":"a","colection":"b"}')],
    [
      'an unknown collection',
      404,
      'collection_not_found',
      () => send('{"query":"a","collection":"nowhere"}'),
    ],
    [
      'a wrong content type',
      415,
      'unsupported_media_type',
      () => send('query=a', { 'content-type': 'application/x-www-form-urlencoded' }),
    ],
    [
      'an oversized body',
      413,
      'body_too_large',
      () => send(JSON.stringify({ query: 'x'.repeat(3_000_000) })),
    ],
    ['an unknown route', 404, 'not_found', () => fetch(`${stack.url}/nope`)],
    ['a wrong method', 405, 'method_not_allowed', () => fetch(`${stack.url}/query`, { method: 'PUT' })],
  ];
  const send = (body: string, headers: Record<string, string> = { 'content-type': 'application/json' }) =>
    fetch(`${stack.url}/query`, { method: 'POST', headers, body });

  it.each(cases)('%s: %i %s', async (_name, status, code, request) => {
    const reply = await request();
    expect(reply.status).toBe(status);
    expect(reply.headers.get('content-type')).toContain('application/problem+json');
    expect(await reply.json()).toMatchObject({ code, status });
  });

  it('a chunked body over the limit, with no length to believe', async () => {
    const answer = await rawRequest(
      'POST /query HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n',
      `${(2_000_000).toString(16)}\r\n${'x'.repeat(2_000_000)}\r\n0\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 413/);
  });

  async function rawRequest(...pieces: string[]): Promise<string> {
    const { hostname, port } = new URL(stack.url);
    const socket = connect(Number(port), hostname);
    const heard = new Promise<string>((resolve, reject) => {
      let text = '';
      socket.on('data', (piece) => {
        text += piece;
        if (text.includes('\r\n\r\n')) resolve(text);
      });
      socket.on('error', reject);
      socket.on('close', () => resolve(text));
    });
    for (const piece of pieces) socket.write(piece);
    const text = await heard;
    socket.destroy();
    return text;
  }
});

describe('the OpenAI route', () => {
  it('serves the official client', async () => {
    const client = new OpenAI({ baseURL: `${stack.url}/v1`, apiKey: 'none', maxRetries: 0 });
    const models = await client.models.list();
    expect(models.data.map(({ id }) => id)).toContain('rag:vortex-docs');
    const whole = await client.chat.completions.create({
      model: 'rag:vortex-docs',
      messages: [{ role: 'user', content: 'What is the retriever?' }],
    });
    expect(whole.choices[0]?.message.content?.length).toBeGreaterThan(10);
    let streamed = '';
    for await (const piece of await client.chat.completions.create({
      model: 'rag:vortex-docs',
      messages: [{ role: 'user', content: 'What is the retriever?' }],
      stream: true,
    })) {
      streamed += piece.choices[0]?.delta.content ?? '';
    }
    expect(streamed).toBe(whole.choices[0]?.message.content);
  });
});

describe('the load tester', () => {
  it('fifty questions: none fails, three replicas share them, and the client knows where its time went', async () => {
    const out = mkdtempSync(join(tmpdir(), 'vortex-loadtest-'));
    try {
      const words = ['--requests', '50', '--collection', 'vortex-docs', '--json', '--out', out];
      const { code, output, errors } = await stack.vortex('loadtest', ...words);
      expect({ code, errors }).toMatchObject({ code: 0 });
      const run = JSON.parse(output) as Summary;
      expect(run.totals).toMatchObject({ requests: 50, successful: 50, failed: 0 });
      expect(run.replicas.map(({ name }) => name)).toEqual([1, 2, 3].map((n) => `llm_generator_${n}`));
      expect(run.stages?.rows.map(({ stage }) => stage)).toEqual(
        expect.arrayContaining([
          'queue_encode',
          'encode',
          'queue_generate',
          'generate',
          'network + unaccounted',
        ]),
      );
      expect(run.stages?.explained_at_median).toBeGreaterThan(0.9);
      expect(readdirSync(out)).toEqual(
        expect.arrayContaining(['samples.ndjson', 'summary.json', 'summary.md']),
      );
    } finally {
      rmSync(out, { recursive: true, force: true });
    }
  });

  it('documents among the questions: each is found, and none is left behind', async () => {
    const out = mkdtempSync(join(tmpdir(), 'vortex-loadtest-'));
    try {
      const load = [
        '--mode',
        'constant',
        '--rate',
        '10',
        '--requests',
        '20',
        '--mix',
        'query=0.7,ingest=0.3',
      ];
      const words = [...load, '--slo', 'err<1%', '--stream', '--json', '--out', out];
      const run = JSON.parse((await stack.vortex('loadtest', ...words)).output) as Summary;
      expect(run.totals.failed).toBe(0);
      expect(run.ingest).toMatchObject({ not_found: 0, accepted: 20 - run.totals.requests });
      expect(run.ingest?.freshness.count).toBeGreaterThan(0);
      expect(run.stream?.first_token.count).toBe(run.totals.requests);
      const { body } = await getJson(`${stack.url}/api/collections`);
      expect(JSON.stringify(body)).not.toContain('loadtest-');
    } finally {
      rmSync(out, { recursive: true, force: true });
    }
  });
});

describe('the pages', () => {
  it('describe the API offline', async () => {
    const { body } = await getJson(`${stack.url}/openapi.json`);
    expect(body.openapi).toMatch(/^3\.1/);
    const page = await (await fetch(`${stack.url}/docs`)).text();
    expect(page).not.toMatch(/(src|href)="https?:/);
    expect((await fetch(`${stack.url}/`)).status).toBe(200);
  });
});

describe('the story of a past query', () => {
  const explained = async (id: string) => (await getJson(`${stack.url}/api/queries/${id}/explain`)).body;
  const question = 'Which Redis list does the retriever read from?';

  /** Every duration that the client was told, and no other; to 2 ms. */
  function expectSameTimings(told: Record<string, number>, shown: Record<string, number>) {
    expect(Object.keys(shown).sort()).toEqual(Object.keys(told).sort());
    for (const [name, ms] of Object.entries(told)) expect(Math.abs((shown[name] ?? 0) - ms)).toBeLessThan(2);
  }

  it('tells of time, ranks, prompt and citations what the answer told, and what it did not', async () => {
    const { body } = await ask(question, { top_k: 3 });
    const story = await explained(body.id);
    expect(story).toMatchObject({
      ...{ status: 'completed', missing: [], tries: [], error: null },
      request: { question, mode: 'sync', request_id: body.request_id, worker: body.worker, cache: 'bypass' },
      retrieval: { mode: 'hybrid', top_k: 3, outcome: 'prompt', cache: { embedding: 'bypass' } },
      generation: {
        worker: body.worker,
        replica: body.replica,
        tokens: { prompt: body.usage.prompt_tokens },
      },
    });
    expectSameTimings(body.timings_ms, story.timings_ms);
    const shown = story.retrieval.candidates.filter(
      ({ chunk_id }: { chunk_id: unknown }) => chunk_id !== null,
    );
    expect(shown.map(({ chunk_id }: { chunk_id: string }) => chunk_id).sort()).toEqual(
      body.sources.map(({ chunk_id }: { chunk_id: string }) => chunk_id).sort(),
    );
    expect(story.retrieval.candidates.at(-1)).toMatchObject({ rank: 13, dropped: 'top_k' });
    expect(story.generation.citations.kept_count).toBe(body.citations.length);
    const { output } = await stack.vortex('explain', body.id);
    expect(output).toContain('Where the time went');
    expect(output).toContain('dropped: top k');
  });

  it('of a stream and of an asynchronous query', async () => {
    const done = (await streamEvents(`${stack.url}/query`, { query: question, stream: true })).at(-1);
    const streamed = JSON.parse(done?.data ?? '{}');
    const story = await explained(streamed.id);
    expect(story).toMatchObject({ request: { mode: 'stream' }, missing: [] });
    expectSameTimings(streamed.timings_ms, story.timings_ms);

    const { body } = await ask(question, { async: true });
    const { body: job } = await getJson(`${stack.url}/api/jobs/${body.job_id}?wait=20s`);
    const later = await eventually(
      async () => {
        const found = await explained(body.job_id);
        return found.status === 'completed' && found;
      },
      5000,
      'the end of the asynchronous query is written down',
    );
    expect(later).toMatchObject({ request: { mode: 'async' }, missing: [], generation: { finish: 'stop' } });
    const { timings_ms: told } = job.result as { timings_ms: Record<string, number> };
    for (const [name, ms] of Object.entries(told)) expect(later.timings_ms[name], name).toBeCloseTo(ms, 1);
  });

  it('of an answer from the cache, which had no stages, and of none that is kept', async () => {
    await postJson(`${stack.url}/query`, { query: question, collection: 'vortex-docs' });
    const { body } = await postJson(`${stack.url}/query`, { query: question, collection: 'vortex-docs' });
    expect(body.cache).toBe('hit');
    expect(await explained(body.id)).toMatchObject({
      request: { cache: 'hit' },
      retrieval: null,
      missing: [],
    });
    expect(await getJson(`${stack.url}/api/queries/qry_unknown/explain`)).toMatchObject({
      status: 404,
      body: { code: 'not_found' },
    });
  });
});
