import { Ollama } from 'ollama';
import OpenAI, { APIError, NotFoundError } from 'openai';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createMockLlm } from './app.ts';
import { type Listener, listen } from './listeners.ts';

// The official clients, unmodified, against a listener on the loopback interface.
const prompt = [
  { role: 'system' as const, content: 'Answer from the passages.' },
  {
    role: 'user' as const,
    content: '<passage n="1">The sky is blue.</passage>\nQuestion: What colour is the sky?',
  },
];
const answer = 'The sky is blue [1].';

const llm = createMockLlm({ model: 'mock', law: { latencyMs: 0, tokensPerSecond: 0 } });
let listener: Listener;
let ollama: Ollama;
let openai: OpenAI;

beforeAll(async () => {
  listener = await listen(llm.app, '127.0.0.1', 0);
  ollama = new Ollama({ host: listener.url });
  openai = new OpenAI({ baseURL: `${listener.url}/v1`, apiKey: 'none', maxRetries: 0 });
});
afterAll(() => listener.close());
beforeEach(() => behave({ mode: 'ok' }));

async function behave(body: object): Promise<void> {
  await fetch(`${listener.url}/mock/behaviour`, { method: 'POST', body: JSON.stringify(body) });
}

test('ollama: chat and generate, streamed and not', async () => {
  const reply = await ollama.chat({ model: 'llama3.2', messages: prompt });
  expect(reply.message).toEqual({ role: 'assistant', content: answer });
  let streamed = '';
  let last: object = {};
  for await (const part of await ollama.chat({ model: 'llama3.2', messages: prompt, stream: true })) {
    streamed += part.message.content;
    last = part;
  }
  expect(streamed).toBe(answer);
  expect(last).toMatchObject({ done: true, done_reason: 'stop' });

  expect((await ollama.generate({ model: 'llama3.2', prompt: 'Hello' })).response).toContain('Hello');
  let generated = '';
  for await (const part of await ollama.generate({ model: 'llama3.2', prompt: 'Hello', stream: true })) {
    generated += part.response;
  }
  expect(generated).toContain('Hello');
});

test('ollama: list, show, version', async () => {
  expect((await ollama.list()).models.map((model) => model.name)).toEqual(['mock:latest']);
  expect((await ollama.show({ model: 'mock' })).capabilities).toEqual(['completion']);
  expect((await ollama.version()).version).toMatch(/^\d+\.\d+\.\d+$/);
  expect((await ollama.ps()).models).toEqual([]);
});

test('ollama: an error is told with its status, and abort ends a stream', async () => {
  await behave({ mode: 'error', status: 503 });
  await expect(ollama.chat({ model: 'mock', messages: prompt })).rejects.toMatchObject({ status_code: 503 });

  await behave({ mode: 'drip', latency_ms: 60_000 });
  const before = llm.traffic.aborted;
  const stream = await ollama.chat({ model: 'mock', messages: prompt, stream: true });
  await expect(
    (async () => {
      for await (const _ of stream) stream.abort();
    })(),
  ).rejects.toThrow('abort');
  await expect.poll(() => llm.traffic).toMatchObject({ active: 0, aborted: before + 1 });
});

test('openai: completion, stream, stream with usage', async () => {
  const reply = await openai.chat.completions.create({ model: 'gpt-4o-mini', messages: prompt });
  expect(reply.choices[0]?.message.content).toBe(answer);
  expect(reply.usage?.total_tokens).toBeGreaterThan(reply.usage?.prompt_tokens ?? 0);

  const stream = await openai.chat.completions.create({
    model: 'gpt-4o-mini',
    messages: prompt,
    stream: true,
    stream_options: { include_usage: true },
  });
  let streamed = '';
  let usage: object | null | undefined;
  for await (const chunk of stream) {
    streamed += chunk.choices[0]?.delta.content ?? '';
    usage = chunk.usage ?? usage;
  }
  expect(streamed).toBe(answer);
  expect(usage).toMatchObject({ completion_tokens: 8 });

  // The helper that assembles a whole completion checks every chunk's form.
  const assembled = openai.chat.completions.stream({ model: 'gpt-4o-mini', messages: prompt });
  expect((await assembled.finalChatCompletion()).choices[0]?.message.content).toBe(answer);
});

test('openai: models', async () => {
  const ids: string[] = [];
  for await (const model of openai.models.list()) ids.push(model.id);
  expect(ids).toEqual(['mock']);
  expect((await openai.models.retrieve('mock')).object).toBe('model');
});

test('openai: errors have their classes, a cut stream is an error, abort ends a stream', async () => {
  const ask = { model: 'mock', messages: prompt };
  await behave({ mode: 'error', status: 404 });
  await expect(openai.chat.completions.create(ask)).rejects.toBeInstanceOf(NotFoundError);
  await behave({ mode: 'ok' });
  await expect(openai.chat.completions.create({ ...ask, messages: [] })).rejects.toMatchObject({
    status: 400,
    param: 'messages',
  });
  await expect(openai.chat.completions.create({ ...ask, messages: [] })).rejects.toBeInstanceOf(APIError);

  await behave({ mode: 'truncate' });
  const cut = await openai.chat.completions.create({ ...ask, stream: true });
  await expect(
    (async () => {
      for await (const _ of cut);
    })(),
  ).rejects.toThrow();

  await behave({ mode: 'drip', latency_ms: 60_000 });
  const before = llm.traffic.aborted;
  const stream = await openai.chat.completions.create({ ...ask, stream: true });
  for await (const _ of stream) break;
  await expect.poll(() => llm.traffic).toMatchObject({ active: 0, aborted: before + 1 });
});

test('a request that hangs ends with its client, and closing the listener ends what hangs', async () => {
  await behave({ mode: 'hang' });
  const before = llm.traffic.aborted;
  const client = new AbortController();
  const hanging = openai.chat.completions.create(
    { model: 'mock', messages: prompt },
    { signal: client.signal },
  );
  await expect.poll(() => llm.traffic.active).toBe(1);
  client.abort();
  await expect(hanging).rejects.toThrow();
  await expect.poll(() => llm.traffic).toMatchObject({ active: 0, aborted: before + 1 });

  const other = createMockLlm({ model: 'mock', law: { latencyMs: 0, tokensPerSecond: 0 } });
  const closing = await listen(other.app, '127.0.0.1', 0);
  await fetch(`${closing.url}/mock/behaviour`, { method: 'POST', body: '{"mode":"hang_after_headers"}' });
  const response = await fetch(`${closing.url}/api/chat`, {
    method: 'POST',
    body: JSON.stringify({ model: 'mock', messages: prompt }),
  });
  expect(response.status).toBe(200);
  const [read] = await Promise.allSettled([response.text(), closing.close()]);
  expect(read.status).toBe('rejected');
  expect(other.traffic.active).toBe(0);
});

test('a listener that is closed with a budget lets a generation finish, unless it is hurried', async () => {
  const other = createMockLlm({ model: 'mock', law: { latencyMs: 0, tokensPerSecond: 50 } });
  const chat = (url: string) =>
    fetch(`${url}/api/chat`, { method: 'POST', body: JSON.stringify({ model: 'mock', messages: prompt }) });
  const patient = await listen(other.app, '127.0.0.1', 0);
  const response = await chat(patient.url);
  const closed = patient.close(60_000);
  expect(await response.text()).toContain('"done":true');
  await closed;
  await expect(chat(patient.url)).rejects.toThrow();

  const hurried = await listen(other.app, '127.0.0.1', 0);
  await fetch(`${hurried.url}/mock/behaviour`, { method: 'POST', body: '{"mode":"hang_after_headers"}' });
  const hanging = await chat(hurried.url);
  const hurry = new AbortController();
  const cut = hurried.close(60_000, hurry.signal);
  hurry.abort();
  await expect(hanging.text()).rejects.toThrow();
  await cut;
});
