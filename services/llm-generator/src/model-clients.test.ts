import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { createServer } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { type Replay, type ReplayServer, recorded, send, startReplay } from './__fixtures__/replay-server.ts';
import { type ModelClient, ModelFailure, type ModelRequest } from './model-client.ts';
import { createOllamaClient } from './ollama-client.ts';
import { createOpenaiClient } from './openai-client.ts';

/**
 * Both protocols against a server that says exactly what a test tells it to. One piece, because nearly every test is
 * asked of both: what one client survives, the other must.
 */
const apiKey = 'sk-secret';
const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const resource of opened.splice(0).reverse()) await resource.close();
});

const protocols = {
  ollama: {
    contentType: 'application/x-ndjson',
    client: (url: string) => createOllamaClient({ url: `${url}/`, model: 'llama3.2', slots: 2 }),
    errorBody: (message: string) => JSON.stringify({ error: message }),
  },
  openai: {
    contentType: 'text/event-stream',
    client: (url: string) =>
      createOpenaiClient({ baseUrl: `${url}/v1`, apiKey, model: 'gpt-4o-mini', slots: 2 }),
    errorBody: (message: string) =>
      JSON.stringify({ error: { message, type: 'x', param: null, code: null } }),
  },
} as const;
type Protocol = keyof typeof protocols;

async function against(
  protocol: Protocol,
  replay: Replay,
): Promise<{ client: ModelClient; server: ReplayServer }> {
  const server = await startReplay(replay);
  const client = protocols[protocol].client(server.url);
  opened.push(server, client);
  return { client, server };
}

function replaying(protocol: Protocol, pieces: Iterable<string | Uint8Array>) {
  return against(protocol, (response) => send(response, protocols[protocol].contentType, pieces));
}

const request = (more: Partial<ModelRequest> = {}): ModelRequest => ({
  messages: [{ role: 'user', content: 'How large?' }],
  maxTokens: 100,
  temperature: 0,
  signal: new AbortController().signal,
  timeoutMs: 10_000,
  ...more,
});

async function answerOf(client: ModelClient, more: Partial<ModelRequest> = {}) {
  let text = '';
  const end = await client.generate(request(more), (piece) => {
    text += piece;
  });
  return { text, ...end };
}

async function failureOf(client: ModelClient, more: Partial<ModelRequest> = {}): Promise<ModelFailure> {
  const failure: unknown = await client.generate(request(more), () => {}).catch((error: unknown) => error);
  if (!(failure instanceof ModelFailure)) throw new Error(`expected a ModelFailure, got ${String(failure)}`);
  return failure;
}

const answer = 'Die Größe ist 5 € [1]. 🙂';

describe.each(['ollama', 'openai'] as const)('%s', (protocol) => {
  const { contentType, errorBody } = protocols[protocol];

  test('replays a recorded answer', async () => {
    const { client } = await replaying(protocol, recorded(`${protocol}-chat`));
    expect(await answerOf(client)).toEqual({
      text: answer,
      finish: 'stop',
      promptTokens: 26,
      completionTokens: 9,
    });
  });

  test('a character may be cut between two chunks', async () => {
    const bytes = Buffer.from(recorded(`${protocol}-chat`).join(''));
    const { client } = await replaying(
      protocol,
      Array.from(bytes, (byte) => Uint8Array.of(byte)),
    );
    expect((await answerOf(client)).text).toBe(answer);
  });

  test('says when the token limit cut the answer', async () => {
    const { client } = await replaying(protocol, recorded(`${protocol}-length`));
    expect((await answerOf(client)).finish).toBe('length');
  });

  test('a body that ends without its end mark is a failure, however tidily it ends', async () => {
    const { client } = await replaying(protocol, recorded(`${protocol}-no-end-mark`));
    expect(await failureOf(client)).toMatchObject({ kind: 'malformed', mayRetry: true });
  });

  test('so is one that breaks off', async () => {
    const { client } = await against(protocol, (response) => {
      response.writeHead(200, { 'content-type': contentType });
      response.write(recorded(`${protocol}-chat`)[0] ?? '', () => response.destroy());
    });
    expect(await failureOf(client)).toMatchObject({ kind: 'malformed', mayRetry: true });
  });

  test('an error in mid-stream is the failure of the server', async () => {
    const { client } = await replaying(protocol, recorded(`${protocol}-error-midstream`));
    expect(await failureOf(client)).toMatchObject({ kind: 'server_error', mayRetry: true });
  });

  test('what is not of the protocol is refused', async () => {
    const { client } = await replaying(protocol, recorded(`${protocol}-not-the-protocol`));
    expect(await failureOf(client)).toMatchObject({ kind: 'malformed' });
  });

  test('an endless reply is cut at its size limit', async () => {
    const piece = 'x'.repeat(1024 * 1024);
    const { client } = await replaying(protocol, Array(12).fill(piece));
    expect(await failureOf(client)).toMatchObject({ kind: 'malformed' });
  });

  test.each([
    [400, 'client_error', false],
    [401, 'client_error', false],
    [404, 'client_error', false],
    [301, 'client_error', false],
    [408, 'server_error', true],
    [429, 'rate_limited', true],
    [500, 'server_error', true],
    [503, 'server_error', true],
  ])('status %i is %s', async (status, kind, mayRetry) => {
    const { client } = await against(protocol, (response) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(errorBody('because'));
    });
    expect(await failureOf(client)).toMatchObject({ kind, mayRetry, status });
  });

  test('Retry-After is kept', async () => {
    const { client } = await against(protocol, (response) => {
      response.writeHead(429, { 'retry-after': '7' }).end(errorBody('slow down'));
    });
    expect((await failureOf(client)).retryAfterMs).toBe(7000);
  });

  test('a server that is not there is a connect failure that names the setting', async () => {
    const closed = createServer().listen(0, '127.0.0.1');
    await once(closed, 'listening');
    const address = closed.address();
    closed.close();
    await once(closed, 'close');
    if (address === null || typeof address === 'string') throw new Error('expected a TCP address');
    const client = protocols[protocol].client(`http://127.0.0.1:${address.port}`);
    opened.push(client);
    const failure = await failureOf(client);
    expect(failure).toMatchObject({ kind: 'connect', mayRetry: true });
    expect(failure.message).toMatch(/llm\.(ollama_url|openai_base_url)\).*ECONNREFUSED/);
  });

  test('the time limit ends a reply that hangs, before and after its headers', async () => {
    const { client, server } = await against(protocol, (response, attempt) => {
      if (attempt === 2) response.writeHead(200, { 'content-type': contentType }).flushHeaders();
    });
    // Longer until the server has seen it: a machine that stalls may use up 30 ms before anything is sent.
    for (const asked of [1, 2]) {
      for (let timeoutMs = 30; server.requests.length < asked; timeoutMs *= 2)
        expect(await failureOf(client, { timeoutMs })).toMatchObject({ kind: 'timeout', mayRetry: true });
    }
    await expect.poll(() => server.counts.left).toBe(2);
  });

  test('no time left: the server is not even asked', async () => {
    const { client, server } = await replaying(protocol, []);
    expect(await failureOf(client, { timeoutMs: 0 })).toMatchObject({ kind: 'timeout' });
    expect(server.requests).toEqual([]);
  });

  test('an abort closes the connection at once', async () => {
    const caller = new AbortController();
    const { client, server } = await against(protocol, (response) => {
      response.writeHead(200, { 'content-type': contentType }).flushHeaders();
      caller.abort();
    });
    expect(await failureOf(client, { signal: caller.signal })).toMatchObject({
      kind: 'aborted',
      mayRetry: false,
    });
    await expect.poll(() => server.counts.left).toBe(1);
    expect(await failureOf(client, { signal: caller.signal })).toMatchObject({ kind: 'aborted' });
    expect(server.requests).toHaveLength(1);
  });

  test('connections are used again, also after trailing bytes', async () => {
    const { client, server } = await replaying(protocol, [...recorded(`${protocol}-chat`), '\n\n']);
    for (let time = 0; time < 12; time += 1) expect((await answerOf(client)).text).toBe(answer);
    // An answer is given out at its end mark, so the next request may meet a connection still being drained.
    expect(server.counts.connections).toBeLessThanOrEqual(4);
  });

  test('a server that never closes a finished body holds up nobody', async () => {
    const { client } = await against(protocol, (response) => {
      response.writeHead(200, { 'content-type': contentType });
      response.write(recorded(`${protocol}-chat`).join(''));
    });
    expect((await answerOf(client)).text).toBe(answer);
  });
});

describe('ollama', () => {
  test('asks as its API wants it, with room for the whole prompt', async () => {
    const { client, server } = await replaying('ollama', recorded('ollama-chat'));
    await answerOf(client);
    await answerOf(client, { messages: [{ role: 'user', content: 'x'.repeat(20_000) }] });
    expect(server.requests[0]).toMatchObject({
      path: '/api/chat',
      body: {
        model: 'llama3.2',
        messages: [{ role: 'user', content: 'How large?' }],
        stream: true,
        options: { num_predict: 100, temperature: 0, num_ctx: 4096 },
      },
    });
    expect(server.requests[1]?.body).toMatchObject({ options: { num_ctx: 8192 } });
  });

  test('an unknown model says what to type', async () => {
    const { client } = await against('ollama', (response) => {
      response
        .writeHead(404)
        .end(JSON.stringify({ error: 'model "llama3.2" not found, try pulling it first' }));
    });
    expect((await failureOf(client)).message).toContain('ollama pull llama3.2');
  });
});

describe('openai', () => {
  const refuse = (response: ServerResponse, param: string, code = 'unsupported_parameter') =>
    response
      .writeHead(400, { 'content-type': 'application/json' })
      .end(JSON.stringify({ error: { message: `no ${param}`, type: 'invalid_request_error', param, code } }));

  test('asks as its API wants it', async () => {
    const { client, server } = await replaying('openai', recorded('openai-chat'));
    await answerOf(client);
    expect(server.requests[0]).toMatchObject({
      path: '/v1/chat/completions',
      headers: { authorization: 'Bearer sk-secret' },
      body: {
        model: 'gpt-4o-mini',
        stream: true,
        stream_options: { include_usage: true },
        max_tokens: 100,
        temperature: 0,
      },
    });
  });

  test('comments, events without choices, CRLF and usage beside the finish reason are understood', async () => {
    const { client } = await replaying('openai', recorded('openai-dialects'));
    expect(await answerOf(client)).toEqual({
      text: answer,
      finish: 'stop',
      promptTokens: 26,
      completionTokens: 9,
    });
  });

  test('parameters a server refuses are learned, once', async () => {
    const { client, server } = await against('openai', async (response, attempt) => {
      if (attempt === 1) refuse(response, 'max_tokens');
      else if (attempt === 2) refuse(response, 'temperature', 'unsupported_value');
      else await send(response, 'text/event-stream', recorded('openai-chat'));
    });
    expect((await answerOf(client)).text).toBe(answer);
    expect((await answerOf(client)).text).toBe(answer);
    expect(server.requests).toHaveLength(4);
    const last = server.requests.at(-1)?.body;
    expect(last).toMatchObject({ max_completion_tokens: 100 });
    expect(last).not.toHaveProperty('max_tokens');
    expect(last).not.toHaveProperty('temperature');
  });

  test('a refusal that nothing can be learned from is final', async () => {
    const { client, server } = await against('openai', (response) => {
      refuse(response, 'messages');
    });
    expect(await failureOf(client)).toMatchObject({ kind: 'client_error' });
    expect(server.requests).toHaveLength(1);
  });

  test('the API key never shows, even when the server repeats it', async () => {
    for (const status of [400, 401, 404, 500]) {
      const { client } = await against('openai', (response) => {
        response.writeHead(status).end(protocols.openai.errorBody(`wrong key ${apiKey} ${'.'.repeat(500)}`));
      });
      const failure = await failureOf(client);
      expect(`${failure.message} ${JSON.stringify(failure)}`).not.toContain(apiKey);
    }
    const { client } = await replaying('openai', recorded('openai-error-midstream'));
    expect((await failureOf(client)).message).toBe(
      'the OpenAI-compatible server (llm.openai_base_url) failed while answering: The server is overloaded, ••••',
    );
  });

  test('a refused key says what to set', async () => {
    const { client } = await against('openai', (response) => {
      response.writeHead(401).end(protocols.openai.errorBody('Incorrect API key provided'));
    });
    expect((await failureOf(client)).message).toContain('OPENAI_API_KEY');
  });
});
