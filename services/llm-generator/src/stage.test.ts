import {
  type AnswerFrameBody,
  explainedGeneration,
  type GenerateInput,
  generateInput,
  type StageFailure,
} from '@vortex/contracts';
import { createMetrics } from '@vortex/observability';
import { type CallEnd, callLimits, type ReplicaHealth } from '@vortex/runtime';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createMockLlm } from '../../mock-llm/src/app.ts';
import { type Listener, listen } from '../../mock-llm/src/listeners.ts';
import { recorded, send, startReplay } from './__fixtures__/replay-server.ts';
import { sourcesFor } from './__fixtures__/sources.ts';
import type { ModelClient } from './model-client.ts';
import { createOllamaClient } from './ollama-client.ts';
import { createOpenaiClient } from './openai-client.ts';
import { createGenerateStage } from './stage.ts';

// The stage against the real mock-llm on the loopback interface, over both protocols. One piece: one mock, one stage.
const mock = createMockLlm({ model: 'mock', law: { latencyMs: 0, tokensPerSecond: 0 } });
let listener: Listener;
const clients: ModelClient[] = [];

beforeAll(async () => {
  listener = await listen(mock.app, '127.0.0.1', 0);
});
afterEach(async () => {
  await behave({ mode: 'ok' });
  for (const client of clients.splice(0)) await client.close();
});
afterAll(() => listener.close());

async function behave(behaviour: object): Promise<void> {
  await fetch(`${listener.url}/mock/behaviour`, { method: 'POST', body: JSON.stringify(behaviour) });
}

function client(protocol: 'ollama' | 'openai', url = listener.url): ModelClient {
  const made =
    protocol === 'ollama'
      ? createOllamaClient({ url, model: 'mock', slots: 4 })
      : createOpenaiClient({ baseUrl: `${url}/v1`, apiKey: null, model: 'mock', slots: 4 });
  clients.push(made);
  return made;
}

const question = [
  '<passage n="1" title="Colours">\nThe sky is blue. Grass is green.\n</passage>',
  '<passage n="2" title="Times">\nThe shop opens at nine.\n</passage>',
  '',
  'Question: What colour is the sky, and when does the shop open?',
].join('\n');

function input(more: Partial<GenerateInput> = {}): GenerateInput {
  return generateInput.parse({
    id: 'qry_1',
    query: 'What colour is the sky?',
    collection: 'handbook',
    messages: [
      { role: 'system', content: 'Answer from the passages.' },
      { role: 'user', content: question },
    ],
    sources: sourcesFor(['a', 'b']),
    ...more,
  });
}

interface StartOptions {
  deadlineMs?: number;
  signal?: AbortSignal;
  health?: ReplicaHealth;
}

/** A replica beside others that need `usualMs` to their first token; it is late after `leastMs`, or three times that. */
function besideFastOnes({ others = 2, leastMs = 20, usualMs = 10 } = {}): {
  health: ReplicaHealth;
  ends: CallEnd[];
} {
  const ends: CallEnd[] = [];
  const pool = { others, first_token_ms: usualMs, token_ms: 1 };
  const health: ReplicaHealth = {
    hasOthers: () => others > 0,
    begin: () => ({
      limits: (more) => callLimits(pool, { ...more, leastMs }),
      firstToken() {},
      pace() {},
      end: (how) => void ends.push(how),
    }),
    allowance: () => ({ slots: 4, mayTake: () => true }),
    mayRun: () => true,
    isForOthers: () => false,
    attach() {},
    report: async () => {},
    leave: async () => {},
  };
  return { health, ends };
}

/** A run of the stage with what it emitted and measured. */
function start(
  model: ModelClient,
  given: GenerateInput,
  { deadlineMs = 20_000, signal = new AbortController().signal, health }: StartOptions = {},
) {
  const metrics = createMetrics('llm-generator');
  const stage = createGenerateStage({
    model,
    workerName: 'llm_generator_1',
    replicaUrl: 'http://127.0.0.1:9001',
    maxTokens: 512,
    fingerprint: 'generation-1',
    temperature: 0,
    metrics,
    ...(health && { health }),
  });
  const frames: AnswerFrameBody[] = [];
  const timings: Record<string, number> = {};
  const warnings: unknown[] = [];
  const explained: object[] = [];
  const outcome = stage(given, {
    job: { deadline_at: Date.now() + deadlineMs },
    signal,
    log: { warn: (...entry: unknown[]) => void warnings.push(entry) },
    now: () => Date.now(),
    emit: (frame) => void frames.push(frame),
    timing: (name, ms) => {
      timings[name] = ms;
    },
    explain: (tell) => void explained.push(tell()),
  });
  return { outcome, frames, timings, warnings, metrics, explained };
}

const deltasOf = (frames: AnswerFrameBody[]) =>
  frames.flatMap((frame) => (frame.kind === 'delta' ? [frame.text] : []));

describe.each(['ollama', 'openai'] as const)('over %s', (protocol) => {
  test('answers with citations that name their chunks', async () => {
    const { outcome, frames, timings, metrics } = start(
      client(protocol),
      input({ degraded: ['query_truncated'] }),
    );
    expect(await outcome).toMatchObject({
      kind: 'done',
      result: {
        answered: true,
        answer: 'The shop opens at nine [2]. The sky is blue [1].',
        refusal: null,
        citations: [
          { marker: 2, chunk_id: 'b', answer_span: [0, 22] },
          { marker: 1, chunk_id: 'a', answer_span: [28, 43] },
        ],
        worker: 'llm_generator_1',
        replica: 'http://127.0.0.1:9001',
        model: 'mock',
        collection: 'handbook',
        degraded: ['query_truncated'],
        usage: { completion_tokens: expect.any(Number), prompt_tokens: expect.any(Number) },
      },
    });
    expect(frames).toEqual([]);
    expect(timings.first_token).toBeGreaterThanOrEqual(0);
    const { body } = await metrics.render();
    expect(body).toContain(
      `rag_llm_requests_total{provider="${protocol}",outcome="ok",service="llm-generator"} 1`,
    );
    expect(body).toContain(
      'rag_answer_checks_total{check="citation",result="kept",service="llm-generator"} 2',
    );
  });

  test('a stream gives sources first, then deltas that make up the answer, citations after their text', async () => {
    await behave({ mode: 'drip', latency_ms: 5 });
    const given = input({ stream: true });
    const { outcome, frames } = start(client(protocol), given);
    const settled = await outcome;
    if (settled.kind !== 'done') throw new Error('expected an answer');
    expect(frames[0]).toEqual({ kind: 'sources', sources: given.sources });
    const deltas = deltasOf(frames);
    expect(deltas.length).toBeGreaterThan(1);
    expect(deltas.join('')).toBe(settled.result.answer);
    let sent = '';
    for (const frame of frames) {
      if (frame.kind === 'delta') sent += frame.text;
      if (frame.kind === 'citation') expect(sent).toContain(`[${frame.citation.marker}]`);
    }
    expect(frames.flatMap((frame) => (frame.kind === 'citation' ? [frame.citation] : []))).toEqual(
      settled.result.citations,
    );
  });

  test('a mark of a passage that is not among the sources is removed and told', async () => {
    const { outcome, explained } = start(client(protocol), input({ sources: sourcesFor(['a']) }));
    expect(await outcome).toMatchObject({
      result: {
        answer: 'The shop opens at nine. The sky is blue [1].',
        citations: [{ marker: 1 }],
        degraded: ['invented_citation_removed'],
      },
    });
    expect(explainedGeneration.array().parse(explained)).toMatchObject([
      {
        ...{ worker: 'llm_generator_1', replica: 'http://127.0.0.1:9001', finish: 'stop' },
        tokens: { answer: { allowed: 512 } },
        citations: { kept: [{ marker: 1 }], removed: [{ reason: 'no_such_passage' }], removed_count: 1 },
      },
    ]);
  });

  test('an answer cut by its token limit says so', async () => {
    const { outcome } = start(client(protocol), input({ max_tokens: 4 }));
    expect(await outcome).toMatchObject({
      result: { answer: 'The shop opens at', degraded: ['answer_truncated'] },
    });
  });

  test.each([
    ['error', { status: 500 }],
    ['garbage', {}],
    ['truncate', {}],
  ])('%s before anything was seen is thrown, to be tried again', async (mode, more) => {
    await behave({ mode, ...more });
    const failure: StageFailure = await start(client(protocol), input()).outcome.then(
      () => {
        throw new Error('expected a failure');
      },
      (error: StageFailure) => error,
    );
    expect(failure).toMatchObject({ name: 'StageFailure', code: 'generator_failed', mayRetry: true });
  });

  test.each([
    [404, { kind: 'reject', code: 'generator_failed' }],
    [401, { kind: 'reject', code: 'generator_failed' }],
    [429, { kind: 'later' }],
  ])('status %i is settled as %o', async (status, outcome) => {
    await behave({ mode: 'error', status });
    expect(await start(client(protocol), input()).outcome).toMatchObject(outcome);
  });

  test('a server that is not there is waited for, unless another replica can be asked', async () => {
    const nobody = 'http://127.0.0.1:1';
    const alone = besideFastOnes({ others: 0 });
    const others = besideFastOnes({ leastMs: 60_000 });
    const run = (attempt: number, health: ReplicaHealth) =>
      start(client(protocol, nobody), input({ attempt }), { health }).outcome;
    expect(await run(1, alone.health)).toMatchObject({
      kind: 'later',
      reason: expect.stringContaining('could not be reached'),
    });
    await expect(run(1, others.health)).rejects.toMatchObject({ code: 'generator_failed', mayRetry: true });
    expect(await run(3, others.health)).toMatchObject({ kind: 'later' });
    const { outcome, warnings } = start(client(protocol, nobody), input());
    expect(await outcome).toMatchObject({ kind: 'later' });
    expect(warnings).toHaveLength(1);
    expect([alone.ends, others.ends]).toEqual([['failed'], ['failed', 'failed']]);
  });

  test.each(['hang', 'hang_after_headers', 'slow'])('%s ends with the deadline', async (mode) => {
    await behave({ mode });
    const { outcome } = start(client(protocol), input(), { deadlineMs: 240 });
    const remainingMs = 200;
    expect(await outcome).toMatchObject({ kind: 'later', reason: expect.stringContaining('did not finish') });
    expect(((await outcome) as { afterMs: number }).afterMs).toBeGreaterThan(remainingMs);
    await expect.poll(() => mock.traffic.active).toBe(0);
  });

  test.each([
    ['hang', {}],
    ['hang_after_headers', {}],
    ['drip', { latency_ms: 400 }],
  ])('%s beside faster replicas is given up, to be tried there', async (mode, more) => {
    await behave({ mode, ...more });
    const { health, ends } = besideFastOnes();
    await expect(start(client(protocol), input(), { health }).outcome).rejects.toMatchObject({
      code: 'generator_failed',
      mayRetry: true,
    });
    expect(ends[0]).toBe('late');
    await expect.poll(() => mock.traffic.active).toBe(0);
  });

  test('the last try is late too, and goes on', async () => {
    await behave({ mode: 'slow', latency_ms: 60 });
    const { health, ends } = besideFastOnes();
    const { outcome } = start(client(protocol), input({ attempt: 3 }), { health });
    expect(await outcome).toMatchObject({ kind: 'done' });
    expect(ends[0]).toBe('late');
  });

  test('a stream that a reader sees goes on, however slow; its replica is blamed', async () => {
    await behave({ mode: 'drip', latency_ms: 110 });
    // Only the pace can be late: the first token may take a minute.
    const { health, ends } = besideFastOnes({ usualMs: 20_000 });
    const { outcome } = start(client(protocol), input({ stream: true }), { health });
    expect(await outcome).toMatchObject({ kind: 'done' });
    expect(ends[0]).toBe('late');
  });

  test.each([
    ['error', { status: 500 }, 'failed'],
    ['garbage', {}, 'failed'],
    ['truncate', {}, 'failed'],
    ['error', { status: 429 }, 'neutral'],
    ['error', { status: 400 }, 'neutral'],
    ['error', { status: 401 }, 'failed'],
    ['ok', {}, 'ok'],
  ])('%s %o is %s to the breaker', async (mode, more, end) => {
    await behave({ mode, ...more });
    const { health, ends } = besideFastOnes({ leastMs: 60_000 });
    await start(client(protocol), input(), { health }).outcome.catch(() => undefined);
    expect(ends).toEqual([end]);
  });

  test('a wrong key is tried at another replica, and told when there is none', async () => {
    await behave({ mode: 'error', status: 401 });
    await expect(
      start(client(protocol), input(), { health: besideFastOnes({ leastMs: 60_000 }).health }).outcome,
    ).rejects.toMatchObject({ mayRetry: true });
    const alone = start(client(protocol), input(), { health: besideFastOnes({ others: 0 }).health });
    expect(await alone.outcome).toMatchObject({ kind: 'reject', code: 'generator_failed' });
  });

  test('a cancelled run lets its upstream request go', async () => {
    await behave({ mode: 'hang' });
    const caller = new AbortController();
    const before = mock.traffic.aborted;
    const { outcome } = start(client(protocol), input(), { signal: caller.signal });
    await expect.poll(() => mock.traffic.active).toBe(1);
    caller.abort(new Error('the client left'));
    await expect(outcome).rejects.toThrow('the client left');
    await expect.poll(() => mock.traffic).toMatchObject({ active: 0, aborted: before + 1 });
  });

  test('a stream that breaks after a reader saw a part of it is refused for good', async () => {
    const contentType = protocol === 'ollama' ? 'application/x-ndjson' : 'text/event-stream';
    const server = await startReplay((response) =>
      send(response, contentType, recorded(`${protocol}-no-end-mark`)),
    );
    try {
      const { outcome, frames } = start(client(protocol, server.url), input({ stream: true }));
      expect(await outcome).toMatchObject({ kind: 'reject', code: 'generator_failed' });
      expect(deltasOf(frames).join('')).toMatch(/^Die/);
      // The same failure of a query that nobody watches may be tried again.
      await expect(start(client(protocol, server.url), input()).outcome).rejects.toMatchObject({
        mayRetry: true,
      });
    } finally {
      await server.close();
    }
  });
});

test('an empty answer is none', async () => {
  const silent = recorded('ollama-chat').at(-1) ?? '';
  const server = await startReplay((response) => send(response, 'application/x-ndjson', [silent]));
  try {
    await expect(start(client('ollama', server.url), input()).outcome).rejects.toMatchObject({
      mayRetry: true,
    });
  } finally {
    await server.close();
  }
});

describe('a deadline that the whole answer will not meet', () => {
  /** A model of 100 tokens an answer: the first after 100 ms, then one every 10 ms, by a clock of its own. */
  function steadyModel() {
    const asked: number[] = [];
    let now = 1_000_000;
    const model: ModelClient = {
      provider: 'ollama',
      model: 'steady',
      async generate({ maxTokens }, onText) {
        asked.push(maxTokens);
        const tokens = Math.min(100, maxTokens);
        now += 90;
        for (let token = 0; token < tokens; token += 1) {
          now += 10;
          onText('word ');
        }
        return {
          finish: tokens < 100 ? 'length' : 'stop',
          promptTokens: null,
          completionTokens: null,
        };
      },
      close: async () => {},
    };
    const stage = createGenerateStage({
      model,
      ...{ workerName: 'llm_generator_1', replicaUrl: 'http://127.0.0.1:9001' },
      ...{ maxTokens: 512, temperature: 0, metrics: createMetrics('llm-generator') },
      fingerprint: 'generation-1',
    });
    const answer = async (leftMs: number, given: Partial<GenerateInput> = {}) => {
      const outcome = await stage(input(given), {
        job: { deadline_at: now + leftMs },
        signal: new AbortController().signal,
        log: { warn: () => {} },
        now: () => now,
        emit: () => {},
        timing: () => {},
        explain: () => {},
      });
      return outcome.kind === 'done' ? outcome.result.degraded : outcome;
    };
    return { asked, answer };
  }

  test('is met with fewer tokens, which the answer says', async () => {
    const { asked, answer } = steadyModel();
    for (let times = 0; times < 5; times += 1) expect(await answer(60_000)).toEqual([]);
    // 800 ms, less 200 for the way back, 85 % of it: the first token's 100 ms, then 41 at 10 ms each.
    expect(await answer(800, { degraded: ['query_truncated'] })).toEqual([
      ...['query_truncated', 'answer_truncated', 'answer_cut_to_deadline'],
    ]);
    expect(asked).toEqual([512, 512, 512, 512, 512, 42]);
  });

  test('is not said of an answer that was shorter anyway, or that was asked for short', async () => {
    const { asked, answer } = steadyModel();
    for (let times = 0; times < 5; times += 1) await answer(60_000);
    expect(await answer(2000)).toEqual([]);
    expect(await answer(800, { max_tokens: 20 })).toEqual(['answer_truncated']);
    expect(asked.slice(5)).toEqual([144, 20]);
  });

  test('is not guessed at before the pace is known, nor cut to a stump', async () => {
    const { asked, answer } = steadyModel();
    await answer(800);
    for (let times = 0; times < 5; times += 1) await answer(60_000);
    await answer(320);
    expect([asked[0], asked.at(-1)]).toEqual([512, 16]);
  });
});

describe('what nobody sees', () => {
  const tags = [...'secret'].map((letter) => String.fromCodePoint(0xe0000 + letter.charCodeAt(0))).join('');
  const hostile = `\u202eBlue\u200b ${tags}\u001b]52;c;eA==\u0007[1].\r\n\tA heart ❤️‍🔥 and 😀\u{e0148}\u009b31m [2].\ud83d`;
  const shown = 'Blue ]52;c;eA==[1].\n\tA heart ❤️‍🔥 and 😀31m [2].\ufffd';

  test.each([1, 2, 3, 7, 1000])(
    'and what steers a terminal is in no answer of pieces of %i',
    async (size) => {
      const model: ModelClient = {
        ...{ provider: 'openai', model: 'relay' },
        generate: async (_request, onText) => {
          for (let at = 0; at < hostile.length; at += size) onText(hostile.slice(at, at + size));
          return { finish: 'stop', promptTokens: null, completionTokens: null };
        },
        close: async () => {},
      };
      const run = start(model, input({ stream: true }));
      const outcome = await run.outcome;
      if (outcome.kind !== 'done') throw new Error(`the answer is ${outcome.kind}`);
      const { answer, citations } = outcome.result;
      expect(answer).toBe(shown);
      const spoken = run.frames.map((frame) => (frame.kind === 'delta' ? frame.text : '')).join('');
      expect(spoken).toBe(shown);
      expect(citations.map(({ answer_span: [from, to] }) => answer.slice(from, to))).toEqual([
        'Blue ]52;c;eA==',
        'A heart ❤️‍🔥 and 😀31m',
      ]);
    },
  );
});
