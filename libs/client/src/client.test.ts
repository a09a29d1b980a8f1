import type { ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { json, type LocalGateway, localGateway } from '../test/local-gateway.ts';
import { createClient, type VortexClient } from './client.ts';
import { ApiProblem, GatewayUnreachable } from './errors.ts';

interface Heard {
  method: string | undefined;
  url: string | undefined;
  body: unknown;
}

let local: LocalGateway | undefined;

/** A gateway that answers as it is told, and what it heard. */
async function gateway(answer: (heard: Heard, response: ServerResponse) => void): Promise<Heard[]> {
  const all: Heard[] = [];
  local = await localGateway(async (request, response) => {
    const body = await text(request);
    const heard = { method: request.method, url: request.url, body: body === '' ? null : JSON.parse(body) };
    all.push(heard);
    answer(heard, response);
  });
  return all;
}

function vortex(): VortexClient {
  if (local === undefined) throw new Error('no gateway was started');
  return local.client;
}

const answerOf = (words: string) => ({
  id: 'qry_1',
  answered: true,
  answer: words,
  refusal: null,
  citations: [],
  sources: [],
  worker: 'llm_generator_1',
  replica: 'http://r',
  model: 'm',
  collection: 'default',
  degraded: [],
  usage: { prompt_tokens: 1, completion_tokens: null },
  attempt: 1,
  timings_ms: { total: 4.5 },
  request_id: 'req_1',
});

describe('the client', () => {
  it('asks, and refuses an answer that is none', async () => {
    const heard = await gateway(({ body }, response) => {
      const { query } = body as { query: string };
      json(response, 200, query === 'odd' ? { answer: 1 } : answerOf('two years'));
    });
    expect((await vortex().query({ query: 'how long?', top_k: 3 })).answer).toBe('two years');
    expect(heard[0]).toEqual({ method: 'POST', url: '/query', body: { query: 'how long?', top_k: 3 } });
    await expect(vortex().query({ query: 'odd' })).rejects.toThrow();
  });

  it('turns a problem document into an error that says which field', async () => {
    await gateway((_, response) =>
      json(response, 422, {
        type: '/problems/validation',
        title: 'Not valid',
        status: 422,
        detail: 'The body is not valid',
        code: 'validation',
        retryable: false,
        errors: [{ pointer: '/top_k', message: 'must be at least 1' }],
      }),
    );
    const error = await vortex()
      .search({ query: 'x' })
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ApiProblem);
    expect(error).toMatchObject({ status: 422, code: 'validation', retryable: false, retryAfterMs: null });
    expect((error as ApiProblem).message).toBe('The body is not valid; /top_k must be at least 1');
  });

  it("keeps a proxy's own words", async () => {
    await gateway((_, response) => response.writeHead(502).end('<h1>Bad Gateway</h1>'));
    await expect(vortex().job('job_1')).rejects.toMatchObject({
      code: 'unexpected_answer',
      retryable: true,
      message: expect.stringContaining('Bad Gateway'),
    });
  });

  it('says so when nothing answers', async () => {
    await gateway(() => {});
    const closed = createClient({ url: vortex().url });
    await local?.stop();
    await expect(closed.query({ query: 'x' })).rejects.toBeInstanceOf(GatewayUnreachable);
    await expect(closed.query({ query: 'x' })).rejects.toThrow('ECONNREFUSED');
    await closed.close();
  });

  it.each([200, 503])(
    'takes an answer of %d that breaks off for a gateway that went away',
    async (status) => {
      await gateway((_, response) => {
        response.writeHead(status, { 'content-length': '1000' }).write('{', () => response.destroy());
      });
      await expect(vortex().documents.get('doc_1')).rejects.toBeInstanceOf(GatewayUnreachable);
    },
  );

  it('streams an answer, whatever the cuts between packets', async () => {
    const events = [
      'event: start\ndata: {"id":"qry_1","request_id":"req_1"}\n\n',
      ': heartbeat\n\n',
      'event: sources\ndata: {"sources":[]}\n\n',
      'event: news\ndata: {"of":"a later gateway"}\n\n',
      'event: delta\ndata: {"text":"zwei Jahre – ja"}\n\n',
      `event: done\ndata: ${JSON.stringify(answerOf('zwei Jahre – ja'))}\n\n`,
    ].join('');
    const bytes = Buffer.from(events);
    const heard = await gateway((_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      for (let at = 0; at < bytes.length; at += 7) response.write(bytes.subarray(at, at + 7));
      response.end();
    });
    const kinds: string[] = [];
    let words = '';
    for await (const event of vortex().stream({ query: 'wie lange?' })) {
      kinds.push(event.kind);
      if (event.kind === 'delta') words += event.text;
    }
    expect(kinds).toEqual(['start', 'sources', 'delta', 'done']);
    expect(words).toBe('zwei Jahre – ja');
    expect(heard[0]?.body).toEqual({ query: 'wie lange?', stream: true });
  });

  it('closes the connection when a stream is left', async () => {
    const left = Promise.withResolvers<void>();
    await gateway((_, response) => {
      response.once('close', () => left.resolve());
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('event: start\ndata: {"id":"qry_1"}\n\n');
    });
    for await (const event of vortex().stream({ query: 'x' })) {
      expect(event).toEqual({ kind: 'start', id: 'qry_1' });
      break;
    }
    await left.promise;
  });
});
