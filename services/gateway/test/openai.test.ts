import OpenAI from 'openai';
import { describe, expect, it } from 'vitest';
import { completed, failed, frame, gatewayUnderTest, sampleAnswer } from './gateway-under-test.ts';

const { answer, sources } = sampleAnswer;

async function client(settings: Parameters<typeof gatewayUnderTest>[0] = {}) {
  const gateway = await gatewayUnderTest(settings);
  await gateway.registry.ensureCollection({ tenant: 'default', name: 'handbook' });
  const { url } = await gateway.serve();
  const openai = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 });
  return { ...gateway, openai };
}

const ask = { model: 'rag:handbook', messages: [{ role: 'user' as const, content: 'Which list?' }] };

describe('the official openai client', () => {
  it('lists collections as models', async () => {
    const { openai } = await client();
    const models = await openai.models.list();
    expect(models.data.map(({ id }) => id)).toEqual(['rag', 'rag:handbook']);
    expect(await openai.models.retrieve('rag:handbook')).toEqual(models.data[1]);
    await expect(openai.models.retrieve('gpt-4o')).rejects.toBeInstanceOf(OpenAI.NotFoundError);
    expect(models.data.every(({ object }) => object === 'model')).toBe(true);
  });

  it('gets an answer with annotations, usage and x_rag', async () => {
    const { openai, queue } = await client();
    const completion = await openai.chat.completions.create({
      ...ask,
      messages: [
        { role: 'system', content: 'You are terse.' },
        { role: 'user', content: 'Something else' },
        { role: 'assistant', content: 'Well.' },
        { role: 'user', content: [{ type: 'text', text: 'Which list?' }] },
      ],
      temperature: 0.3,
      max_completion_tokens: 90_000,
      user: 'someone',
      seed: 7,
    });
    expect(completion.object).toBe('chat.completion');
    expect(completion.model).toBe('rag:handbook');
    expect(completion.choices[0]?.finish_reason).toBe('stop');
    expect(completion.choices[0]?.message).toMatchObject({ role: 'assistant', content: answer });
    expect(completion.choices[0]?.message.annotations?.[0]?.url_citation).toEqual({
      start_index: 0,
      end_index: 45,
      title: 'Flow',
      url: '/api/documents/doc_1/text',
    });
    expect(completion.usage).toEqual({ prompt_tokens: 40, completion_tokens: 9, total_tokens: 49 });
    expect(completion).toMatchObject({
      x_rag: { answered: true, citations: sampleAnswer.citations, sources },
    });
    expect(queue.submitted[0]?.envelope).toMatchObject({
      query: 'Which list?',
      collection: 'handbook',
      max_tokens: 8192,
    });
  });

  it('streams, with usage when asked', async () => {
    const { openai, queue } = await client();
    queue.script = async ({ id }, { onFrame }) => {
      onFrame?.(frame(id, { kind: 'sources', sources }));
      onFrame?.(frame(id, { kind: 'delta', text: answer.slice(0, 12) }));
      onFrame?.(frame(id, { kind: 'delta', text: answer.slice(12) }));
      return completed(id);
    };
    const stream = await openai.chat.completions.create({
      ...ask,
      stream: true,
      stream_options: { include_usage: true },
    });
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    const deltas = chunks.flatMap(({ choices }) => choices.map(({ delta }) => delta));
    expect(deltas[0]).toEqual({ role: 'assistant', content: '' });
    expect(deltas.map(({ content }) => content ?? '').join('')).toBe(answer);
    expect(deltas.filter(({ content }) => content).length).toBe(2);
    expect(chunks.at(-2)?.choices[0]?.finish_reason).toBe('stop');
    expect(chunks.at(-1)?.choices).toEqual([]);
    expect(chunks.at(-1)?.usage?.total_tokens).toBe(49);
    expect(chunks.at(-3)).toMatchObject({ x_rag: { answered: true } });
    expect(chunks.slice(0, -1).every(({ usage }) => usage === null)).toBe(true);
  });

  it('says so when the answer was cut at max_tokens', async () => {
    const { openai, queue } = await client();
    queue.script = async ({ id }) => completed(id, { ...sampleAnswer, degraded: ['answer_truncated'] });
    const completion = await openai.chat.completions.create(ask);
    expect(completion.choices[0]?.finish_reason).toBe('length');
    const stream = await openai.chat.completions.create({ ...ask, stream: true });
    const reasons = [];
    for await (const { choices } of stream) reasons.push(choices[0]?.finish_reason);
    expect(reasons.at(-1)).toBe('length');
  });

  it('streams through its helper without usage', async () => {
    const { openai } = await client();
    const final = await openai.chat.completions.stream({ ...ask, stream: true }).finalChatCompletion();
    expect(final.choices[0]?.message.content).toBe(answer);
  });

  it('goes on where the dead worker stopped when the next one says the same', async () => {
    const { openai, queue } = await client();
    queue.script = async ({ id }, { onFrame }) => {
      onFrame?.(frame(id, { kind: 'sources', sources }));
      onFrame?.(frame(id, { kind: 'delta', text: answer.slice(0, 20) }));
      onFrame?.(frame(id, { kind: 'sources', sources }, { redelivered: 1 }));
      onFrame?.(frame(id, { kind: 'delta', text: answer.slice(0, 8) }, { redelivered: 1 }));
      onFrame?.(frame(id, { kind: 'delta', text: answer.slice(8) }, { redelivered: 1 }));
      return completed(id);
    };
    let text = '';
    for await (const chunk of await openai.chat.completions.create({ ...ask, stream: true })) {
      text += chunk.choices[0]?.delta.content ?? '';
    }
    expect(text).toBe(answer);
  });

  it('throws when the text that was sent is no longer the answer', async () => {
    const { openai, queue } = await client();
    queue.script = async ({ id }, { onFrame }) => {
      onFrame?.(frame(id, { kind: 'sources', sources }));
      onFrame?.(frame(id, { kind: 'delta', text: 'Something quite different' }));
      return completed(id);
    };
    const stream = await openai.chat.completions.create({ ...ask, stream: true });
    const read = async () => {
      for await (const _chunk of stream);
    };
    await expect(read()).rejects.toThrow(/begun anew/);
  });

  it('throws its own classes for our failures', async () => {
    const { openai, queue, post } = await client({ max_body_bytes: 2000 });
    const create = (change: object) => openai.chat.completions.create({ ...ask, ...change });
    await expect(create({ model: 'gpt-4o' })).rejects.toMatchObject({
      constructor: OpenAI.NotFoundError,
      code: 'model_not_found',
      param: 'model',
      type: 'invalid_request_error',
    });
    await expect(create({ model: 'rag:nowhere' })).rejects.toBeInstanceOf(OpenAI.NotFoundError);
    await expect(create({ messages: [] })).rejects.toMatchObject({ status: 400, param: 'messages' });
    await expect(create({ messages: [{ role: 'system', content: 'x' }] })).rejects.toBeInstanceOf(
      OpenAI.BadRequestError,
    );
    await expect(create({ messages: [{ role: 'user', content: ' ' }] })).rejects.toMatchObject({
      param: 'messages.0.content',
    });
    await expect(create({ messages: [{ role: 'user', content: 'x'.repeat(3000) }] })).rejects.toMatchObject({
      status: 413,
    });
    expect(queue.submitted).toEqual([]);
    queue.script = async ({ id }) => failed(id, 'generator_failed');
    await expect(create({})).rejects.toMatchObject({ status: 502, type: 'server_error' });
    const broken = await post('/v1/chat/completions', '{');
    expect(broken.status).toBe(400);
    expect(await broken.json()).toMatchObject({ error: { code: 'invalid_json' } });
  });
});
