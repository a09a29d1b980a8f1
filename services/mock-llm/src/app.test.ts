import { describe, expect, test } from 'vitest';
import { createMockLlm } from './app.ts';
import type { Clock } from './clock.ts';

const prompt = [
  { role: 'user', content: '<passage n="1">The sky is blue.</passage>\nQuestion: What colour is the sky?' },
];
const answer = 'The sky is blue [1].';

/** A clock that moves only when somebody waits on it. */
function steppingClock(): Clock & { waits: number[] } {
  let nowMs = 1_700_000_000_000;
  const waits: number[] = [];
  return {
    waits,
    now: () => nowMs,
    async wait(ms, signal) {
      signal.throwIfAborted();
      waits.push(ms);
      nowMs += ms;
    },
  };
}

function mock(law = { latencyMs: 0, tokensPerSecond: 0 }) {
  const clock = steppingClock();
  const llm = createMockLlm({ model: 'mock', law, clock });
  const post = async (path: string, body: unknown, init: RequestInit = {}): Promise<Response> =>
    llm.app.request(path, {
      method: 'POST',
      body: typeof body === 'string' ? body : JSON.stringify(body),
      ...init,
    });
  const behave = (body: object) => post('/mock/behaviour', body);
  return { ...llm, clock, post, behave };
}

// As loose as JSON.parse: a wrong field fails the expectation that reads it.
const json = async (response: Response) => JSON.parse(await response.text());
const ndjson = (text: string) =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
const events = (text: string) =>
  text
    .trimEnd()
    .split('\n\n')
    .map((event) => event.replace(/^data: /, ''));

describe('ollama', () => {
  test('streams unless told otherwise, and closes with statistics', async () => {
    const { post } = mock();
    const response = await post('/api/chat', { model: 'any', messages: prompt });
    expect(response.headers.get('content-type')).toBe('application/x-ndjson');
    const parts = ndjson(await response.text());
    expect(parts.map((part) => part.message.content).join('')).toBe(answer);
    expect(parts.slice(0, -1).every((part) => part.done === false)).toBe(true);
    expect(parts.at(-1)).toMatchObject({
      model: 'any',
      done: true,
      done_reason: 'stop',
      eval_count: parts.length - 1,
    });
    expect(parts.at(-1).prompt_eval_count).toBeGreaterThan(0);
  });

  test('generate answers in one object, with the options applied', async () => {
    const { post } = mock();
    const body = { model: 'any', prompt: prompt[0]?.content, stream: false };
    expect(await (await post('/api/generate', body)).json()).toMatchObject({ response: answer, done: true });
    const cut = await post('/api/generate', { ...body, options: { num_predict: 2 } });
    expect(await cut.json()).toMatchObject({ response: 'The sky', done_reason: 'length', eval_count: 2 });
    const stopped = await post('/api/generate', { ...body, options: { stop: [' blue'] } });
    expect(await stopped.json()).toMatchObject({ response: 'The sky is', done_reason: 'stop' });
  });

  test('a chat without messages loads the model', async () => {
    const response = await mock().post('/api/chat', { model: 'any', stream: false });
    expect(await response.json()).toMatchObject({ done: true, done_reason: 'load' });
  });

  test.each([
    ['not JSON', '{"model":'],
    ['no model', { messages: prompt }],
    ['messages of another type', { model: 'any', messages: 'hello' }],
  ])('%s is 400 with an error text', async (_, body) => {
    const response = await mock().post('/api/chat', body);
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({ error: expect.any(String) });
  });

  test('lists and shows its model; an unknown path is 404', async () => {
    const { app, post } = mock();
    expect(await (await app.request('/api/tags')).json()).toMatchObject({
      models: [{ name: 'mock:latest' }],
    });
    expect((await post('/api/show', { model: 'mock' })).status).toBe(200);
    expect((await post('/api/show', {})).status).toBe(400);
    expect((await app.request('/api/nothing')).status).toBe(404);
    expect((await app.request('/api/chat')).status).toBe(405);
  });
});

describe('openai', () => {
  test('one object with usage', async () => {
    const response = await mock().post('/v1/chat/completions', { model: 'any', messages: prompt });
    const body = await json(response);
    expect(body.choices).toMatchObject([
      { message: { role: 'assistant', content: answer }, finish_reason: 'stop' },
    ]);
    expect(body.usage.total_tokens).toBe(body.usage.prompt_tokens + body.usage.completion_tokens);
  });

  test('events: role, content, finish reason, usage when asked for, [DONE]', async () => {
    const response = await mock().post('/v1/chat/completions', {
      model: 'any',
      messages: prompt,
      stream: true,
      stream_options: { include_usage: true },
    });
    const sent = events(await response.text());
    expect(sent.pop()).toBe('[DONE]');
    const chunks = sent.map((data) => JSON.parse(data));
    expect(chunks[0].choices[0].delta.role).toBe('assistant');
    expect(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('')).toBe(answer);
    expect(chunks.at(-2).choices[0].finish_reason).toBe('stop');
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { completion_tokens: chunks.length - 3 } });
    expect(new Set(chunks.map((chunk) => chunk.id)).size).toBe(1);
  });

  test.each([
    ['not JSON', 'hello', null],
    ['no messages', { model: 'any', messages: [] }, 'messages'],
    ['several choices', { model: 'any', messages: prompt, n: 2 }, 'n'],
  ])('%s is 400 in the error shape of the API', async (_, body, param) => {
    const response = await mock().post('/v1/chat/completions', body);
    expect(response.status).toBe(400);
    const { error } = await json(response);
    expect(error).toEqual({ message: expect.any(String), type: 'invalid_request_error', param, code: null });
  });

  test('models, and 404 in the same shape', async () => {
    const { app } = mock();
    expect(await (await app.request('/v1/models')).json()).toMatchObject({
      object: 'list',
      data: [{ id: 'mock' }],
    });
    const missing = await app.request('/v1/nothing');
    expect(missing.status).toBe(404);
    expect((await json(missing)).error.type).toBe('invalid_request_error');
  });
});

describe('pace', () => {
  test('no law, no wait', async () => {
    const { post, clock } = mock();
    await post('/api/chat', { model: 'any', messages: prompt });
    expect(clock.waits).toEqual([]);
  });

  test('latency before the first token, then one token per interval', async () => {
    const { post, clock } = mock({ latencyMs: 250, tokensPerSecond: 10 });
    const parts = ndjson(await (await post('/api/chat', { model: 'any', messages: prompt })).text());
    const tokens = parts.length - 1;
    expect(clock.waits).toEqual([250, ...Array(tokens - 1).fill(100)]);
    expect(parts.at(-1).total_duration).toBe((250 + 100 * (tokens - 1)) * 1e6);
  });

  test('a fast pace sends several tokens a tick and keeps to the schedule', async () => {
    const { post, clock } = mock({ latencyMs: 0, tokensPerSecond: 1000 });
    const parts = ndjson(await (await post('/api/chat', { model: 'any', messages: prompt })).text());
    expect(parts.map((part) => part.message.content).join('')).toBe(answer);
    expect(clock.waits.length).toBeLessThan(parts.length / 2);
  });

  test('a reply that is not streamed takes as long as its tokens', async () => {
    const { post, clock } = mock({ latencyMs: 50, tokensPerSecond: 10 });
    const reply = await json(await post('/api/chat', { model: 'any', messages: prompt, stream: false }));
    expect(clock.waits).toEqual([50 + 100 * reply.eval_count]);
  });
});

describe('behaviour', () => {
  const ask = { model: 'any', messages: prompt };

  test('is told, kept and shown; nonsense is refused', async () => {
    const { app, behave, behaviour } = mock();
    expect((await behave({ mode: 'error', status: 503 })).status).toBe(200);
    expect(behaviour()).toEqual({ mode: 'error', status: 503 });
    expect(await (await app.request('/mock/behaviour')).json()).toEqual({ mode: 'error', status: 503 });
    expect((await behave({ mode: 'dance' })).status).toBe(400);
    expect((await behave({ mode: 'error', status: 200 })).status).toBe(400);
    expect(behaviour()).toEqual({ mode: 'error', status: 503 });
  });

  test('error: the status asked for, in the shape of the API asked', async () => {
    const { behave, post } = mock();
    await behave({ mode: 'error', status: 404, latency_ms: 20 });
    const ollama = await post('/api/chat', ask);
    expect([ollama.status, await ollama.json()]).toEqual([404, { error: expect.any(String) }]);
    const openai = await post('/v1/chat/completions', ask);
    expect((await json(openai)).error.code).toBe('model_not_found');
    await behave({ mode: 'error' });
    expect((await post('/api/chat', ask)).status).toBe(500);
  });

  test('slow and drip wait as told', async () => {
    const { behave, post, clock } = mock();
    await behave({ mode: 'slow' });
    await (await post('/api/chat', ask)).text();
    await behave({ mode: 'drip', latency_ms: 40 });
    await (await post('/api/chat', ask)).text();
    expect(clock.waits[0]).toBe(5000);
    expect(new Set(clock.waits.slice(1))).toEqual(new Set([40]));
  });

  test('garbage is 200 and no JSON', async () => {
    const { behave, post } = mock();
    await behave({ mode: 'garbage' });
    const response = await post('/api/chat', ask);
    const body = await response.text();
    expect(response.status).toBe(200);
    expect(() => JSON.parse(body)).toThrow(SyntaxError);
  });

  test('truncate: the body breaks off', async () => {
    const { behave, post } = mock();
    await behave({ mode: 'truncate' });
    const response = await post('/api/chat', ask);
    await expect(response.text()).rejects.toThrow('truncate');
  });

  test.each(['hang', 'hang_after_headers'] as const)('%s lasts until the client leaves', async (mode) => {
    const { app, behave, post, traffic } = mock();
    await behave({ mode });
    const client = new AbortController();
    const asked = post('/api/chat', ask, { signal: client.signal });
    const reading = mode === 'hang' ? asked : asked.then((response) => response.text());
    await expect.poll(() => traffic.active).toBe(1);
    client.abort();
    await Promise.allSettled([reading]);
    await expect.poll(() => traffic).toEqual({ total: 1, active: 0, aborted: 1 });
    expect(await (await app.request('/mock/requests')).json()).toEqual({ total: 1, active: 0, aborted: 1 });
  });
});
