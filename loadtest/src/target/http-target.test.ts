import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { createClock } from '../drive/clock.ts';
import { createHttpTarget, type HttpTargetOptions } from './http-target.ts';

const releases: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const release of releases.splice(0).reverse()) await release();
});

interface Asked {
  url: string | undefined;
  headers: IncomingMessage['headers'];
  body: Record<string, unknown>;
}

async function serve(
  answer: (request: Asked, response: ServerResponse) => void,
  options: Partial<HttpTargetOptions> = {},
) {
  const asked: Asked[] = [];
  const server = createServer(async (request, response) => {
    let text = '';
    for await (const piece of request) text += piece;
    const seen = { url: request.url, headers: request.headers, body: text === '' ? {} : JSON.parse(text) };
    asked.push(seen);
    answer(seen, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const target = createHttpTarget({
    baseUrl,
    clock: createClock(),
    connections: 4,
    timeoutMs: 10_000,
    stream: false,
    cache: 'bypass',
    collection: null,
    topK: null,
    apiKeys: [],
    seed: 1,
    ingestCollection: 'loadtest-1',
    ...options,
  });
  releases.push(
    () => new Promise((resolve) => server.close(resolve)),
    () => server.closeAllConnections(),
    target.close,
  );
  const send = (kind: 'query' | 'ingest' = 'query', expected?: string, tenant: number | null = null) =>
    target.send(
      {
        n: 3,
        kind,
        tenant,
        question: { query: 'What is a lease?', ...(expected !== undefined && { expected }) },
        traceId: 'abcdef0123456789abcdef0123456789',
        isTraceSampled: true,
      },
      new AbortController().signal,
    );
  return { asked, send, target };
}

function json(response: ServerResponse, body: unknown, status = 200) {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

const source = { chunk_id: 'c1', document_id: 'd1' };
const good = {
  id: 'qry_1',
  answered: true,
  answer: 'It is a promise [1].',
  degraded: [],
  citations: [{ marker: 1, chunk_id: 'c1' }],
  sources: [source],
  worker: 'llm_generator_2',
  cache: 'bypass',
  attempt: 1,
  timings_ms: { admit: 1, generate: 250, total: 252 },
};

describe('a question', () => {
  test('is sent as the settings say, and everything its answer tells is kept', async () => {
    const options = { collection: 'handbook', topK: 3, apiKeys: ['k1', 'k2'] };
    const { asked, send } = await serve((_, response) => json(response, good), options);
    expect(await send('query', undefined, 1)).toMatchObject({
      outcome: 'ok',
      status: 200,
      error: null,
      answered: true,
      degraded: [],
      cache: 'bypass',
      replica: 'llm_generator_2',
      attempt: 1,
      timings_ms: good.timings_ms,
      id: 'qry_1',
      first_token_ms: null,
    });
    expect(asked[0]?.body).toEqual({
      query: 'What is a lease?',
      collection: 'handbook',
      top_k: 3,
      cache: 'bypass',
    });
    expect(asked[0]?.headers).toMatchObject({
      authorization: 'Bearer k2',
      traceparent: '00-abcdef0123456789abcdef0123456789-abcdef0123456789-01',
    });
  });

  test('a target that knows no caches and says no more than its answer is measured too', async () => {
    const { asked, send } = await serve((_, response) => json(response, { answer: 'yes' }), { cache: null });
    expect(await send()).toMatchObject({ outcome: 'ok', timings_ms: null, cache: null, answered: null });
    expect(asked[0]?.body).toEqual({ query: 'What is a lease?' });
  });

  test.each([
    ['empty', { ...good, answer: ' ' }, 'empty_answer'],
    ['cut', { ...good, degraded: ['answer_cut_to_deadline'] }, 'answer_cut_to_deadline'],
    ['citing what is not there', { ...good, sources: [] }, 'citation_leads_nowhere'],
    ['no answer at all', 'hello', 'malformed_answer'],
    ['of another shape', { answer: 7 }, 'malformed_answer'],
  ])('a 200 that is %s is degraded', async (_, body, reason) => {
    const { send } = await serve((_request, response) => json(response, body));
    expect(await send()).toMatchObject({ outcome: 'degraded', status: 200, degraded: [reason] });
  });

  test('an object without an answer is none, unless the target is said to be none of ours', async () => {
    const ours = await serve((_, response) => json(response, {}));
    expect(await ours.send()).toMatchObject({ outcome: 'degraded', status: 200, degraded: ['no_answer'] });
    const other = await serve((_, response) => json(response, {}), { cache: null });
    expect(await other.send()).toMatchObject({ outcome: 'ok' });
  });

  test('an answer without the document that was expected is degraded', async () => {
    const { send } = await serve((_, response) => json(response, good));
    expect(await send('query', 'd1')).toMatchObject({ outcome: 'ok' });
    expect(await send('query', 'd2')).toMatchObject({ degraded: ['expected_document_missing'] });
  });

  test.each([
    [429, 'shed'],
    [503, 'shed'],
    [404, 'client_error'],
    [422, 'client_error'],
    [500, 'server_error'],
    [504, 'server_error'],
  ])('%i is %s, with the code of its problem', async (status, outcome) => {
    const { send } = await serve((_, response) => json(response, { code: 'why' }, status));
    expect(await send()).toMatchObject({ outcome, status, error: 'why' });
  });

  test('an error without a body is told by its status', async () => {
    const { send } = await serve((_, response) => response.writeHead(502).end());
    expect(await send()).toMatchObject({ outcome: 'server_error', error: 'HTTP 502' });
  });

  test.each([302, 308])(
    '%i is no error of the server: its own class, with its own number',
    async (status) => {
      const { send } = await serve((_, response) => response.writeHead(status, { location: '/there' }).end());
      const error = `HTTP ${status}; redirects are not followed`;
      expect(await send()).toMatchObject({ outcome: 'unexpected_status', status, error });
      expect(await send('ingest')).toMatchObject({ outcome: 'unexpected_status', status, error });
    },
  );

  test('silence is a timeout, a cut connection is connect, a cut body is stream_cut', async () => {
    const silent = await serve(() => {}, { timeoutMs: 30 });
    expect(await silent.send()).toMatchObject({ outcome: 'timeout', status: null });
    const cut = await serve((_, response) => response.destroy());
    expect(await cut.send()).toMatchObject({ outcome: 'connect', status: null });
    const short = await serve((_, response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' });
      response.write('{"answer":', () => response.destroy());
    });
    expect(await short.send()).toMatchObject({ outcome: 'stream_cut', status: 200 });
  });

  test('an interruption leaves no reply behind', async () => {
    const { target } = await serve(() => {});
    const cut = new AbortController();
    const waiting = target.send(
      {
        n: 1,
        kind: 'query',
        tenant: null,
        question: { query: 'x' },
        traceId: '0'.repeat(32),
        isTraceSampled: false,
      },
      cut.signal,
    );
    cut.abort();
    expect(await waiting).toBeNull();
  });
});

describe('a stream', () => {
  const event = (name: string, data: unknown) => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
  const stream = (response: ServerResponse, text: string) => {
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
    response.end(text);
  };

  test('has a time to its first token and gaps between the others', async () => {
    const text = [
      event('start', { id: 'qry_1' }),
      event('sources', { sources: [source] }),
      ...['It ', 'is ', 'a promise [1].'].map((piece) => event('delta', { text: piece })),
      event('done', good),
    ].join('');
    const { asked, send } = await serve((_, response) => stream(response, text), { stream: true });
    const reply = await send();
    expect(reply).toMatchObject({ outcome: 'ok', replica: 'llm_generator_2', timings_ms: good.timings_ms });
    expect(reply?.first_token_ms).toBeGreaterThan(0);
    expect(reply?.gaps_ms).toHaveLength(2);
    expect(asked[0]?.body).toMatchObject({ stream: true });
  });

  test('that ends without its last event is cut; one that ends in an error is that error', async () => {
    const cut = await serve((_, response) => stream(response, event('delta', { text: 'It' })), {
      stream: true,
    });
    expect(await cut.send()).toMatchObject({ outcome: 'stream_cut' });
    const problem = { status: 503, code: 'overloaded' };
    const failed = await serve((_, response) => stream(response, event('error', problem)), { stream: true });
    expect(await failed.send()).toMatchObject({ outcome: 'shed', error: 'overloaded' });
  });
});

test('an answer without end is given up, and fills no memory', async () => {
  const { send } = await serve((_, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(`{"answer":"${'a'.repeat(17 * 2 ** 20)}"}`);
  });
  expect(await send()).toMatchObject({ outcome: 'stream_cut', error: expect.stringContaining('more than') });
});

test('a document is fresh when a search finds it', async () => {
  let searches = 0;
  let marker = '';
  const { asked, send, target } = await serve(({ url, body }, response) => {
    if (url === '/ingest') {
      marker = /lt\w+/.exec(String(body.content))?.[0] ?? '';
      return json(response, { status: 'accepted', job_id: 'job_1' }, 202);
    }
    if (url === '/search') {
      searches += 1;
      const text = body.query === marker ? `Note ${marker}.` : 'another';
      return json(response, { hits: searches < 2 ? [] : [{ text }] });
    }
    return json(response, {});
  });
  const reply = await send('ingest');
  expect(reply).toMatchObject({ outcome: 'ok', status: 202, id: 'job_1' });
  expect(await reply?.freshness).toBeGreaterThan(0);
  expect(searches).toBe(2);
  await target.removeDocuments();
  expect(asked.at(-1)?.url).toBe('/api/collections/loadtest-1');
});

test('each tenant’s documents are removed again with its own key, and a refusal is no success', async () => {
  let isRefused = false;
  const { asked, send, target } = await serve(
    ({ url }, response) => {
      if (url === '/ingest') return json(response, { job_id: 'job_1' }, 202);
      if (url === '/search') return json(response, { hits: [{ text: 'not yet' }] });
      return json(response, {}, isRefused ? 403 : 202);
    },
    { apiKeys: ['k1', 'k2', 'k3'] },
  );
  for (const tenant of [1, 0, 1]) await send('ingest', undefined, tenant);
  await target.removeDocuments();
  const removals = asked.filter(({ url }) => url === '/api/collections/loadtest-1');
  expect(removals.map(({ headers }) => headers.authorization)).toEqual(['Bearer k2', 'Bearer k1']);
  isRefused = true;
  await expect(target.removeDocuments()).rejects.toThrow('HTTP 403');
});

test('the probe tells a target that is away from one that is not ready', async () => {
  const { target } = await serve((_, response) => json(response, {}, 503));
  expect(await target.probe()).toMatchObject({
    reachable: true,
    warning: expect.stringContaining('not ready'),
  });
  const { target: away } = await serve(() => {}, { baseUrl: 'http://127.0.0.1:1' });
  expect(await away.probe()).toMatchObject({ reachable: false });
});
