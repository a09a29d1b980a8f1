import { queryExplanation } from '@vortex/contracts';
import { expect, it } from 'vitest';
import { describeExplanation } from './explain-command.ts';

const story = queryExplanation.parse({
  ...{ id: 'qry_1', status: 'completed', attempt: 2, degraded: ['invented_citation_removed'], error: null },
  request: {
    ...{ request_id: 'req_1', trace_id: 'abc', mode: 'sync', asked_at: '2026-01-02T03:04:05.000Z' },
    ...{ question: 'Which\nlist?', deadline_ms: 60_000, status: 'completed', error: null, answered: true },
    ...{
      cache: 'bypass',
      shared_with: null,
      worker: 'llm_1',
      replica: 'http://r1',
      attempt: 2,
      degraded: [],
    },
    timings_ms: {},
  },
  timings_ms: { encode: 25, queue_generate: 25, generate: 50, first_token: 40, total: 100 },
  waterfall: [
    { name: 'encode', kind: 'stage', start_ms: 0, ms: 25 },
    { name: 'queue_generate', kind: 'queue', start_ms: 25, ms: 25 },
    { name: 'generate', kind: 'stage', start_ms: 50, ms: 50 },
  ],
  tries: [
    {
      kind: 'failed',
      stage: 'generate',
      worker: 'llm_2',
      replica: 'http://r2',
      code: 'internal',
      reason: 'no',
      ms: 3,
    },
    { kind: 'lost', stage: 'encode', worker: 'host-1-ab' },
  ],
  retrieval: {
    ...{ collection: 'books', mode: 'hybrid', top_k: 1, outcome: 'prompt', degraded: [] },
    relevance: { floor: 0.26, best: 0.7, found_by_words: false },
    ...{ cache: { embedding: 'miss', retrieval: 'hit' }, ranked: { dense: 100, sparse: 3 } },
    candidates: [
      {
        ...{
          rank: 1,
          document_id: 'doc_1',
          chunk_id: 'chk_1',
          title: 'Flow',
          fused: 0.03,
          cosine: 0.7,
          tokens: 99,
        },
        ...{ dense: { score: 0.7, rank: 1 }, sparse: null, dropped: null },
      },
      {
        ...{
          rank: 2,
          document_id: 'doc_2',
          chunk_id: null,
          title: null,
          fused: 0.02,
          cosine: null,
          tokens: null,
        },
        ...{ dense: null, sparse: { score: 4.25, rank: 1 }, dropped: 'top_k' },
      },
    ],
    prompt: { passage_tokens: { allowed: 2000, used: 99 }, passages: 1 },
  },
  generation: {
    ...{
      worker: 'llm_1',
      replica: 'http://r1',
      provider: 'openai',
      model: 'm',
      finish: 'stop',
      degraded: [],
    },
    tokens: { prompt: 140, answer: { allowed: 512, used: 9 } },
    citations: {
      kept: [{ marker: 1, chunk_id: 'chk_1', answer_span: [0, 4] }],
      removed: [{ marker: 4, reason: 'not_in_prompt' }],
      ...{ kept_count: 1, removed_count: 1 },
    },
  },
  missing: ['end'],
});

it('is a story that a person can read', () => {
  expect(describeExplanation(story, 72)).toMatchInlineSnapshot(`
    "qry_1: completed, 100.0 ms of the client’s time, at attempt 2
      “Which list?”
      sync, 2026-01-02T03:04:05.000Z, request req_1, trace abc
      answered by llm_1 (http://r1)
      answer cache: bypass

    Where the time went
      encode             25.0 ms  ██████████
      queue generate     25.0 ms            ██████████
      generate           50.0 ms                      ████████████████████
      (the first token came 40.0 ms into generate)

    Runs that were not the last
      generate at llm_2 (http://r2): failed after 3.00 ms: no (internal)
      encode at host-1-ab: lost, its worker stopped beating; delivered again

    Retrieval: hybrid in books, top 1 of 100 by vectors and 3 by words
      caches: embedding miss, retrieval hit
      best cosine 0.700, floor 0.260
      #  title  chunk  by vectors  by words   cosine  tokens  what became of it
      1  Flow   chk_1  #1  0.700   –          0.700       99  used
      2  doc_2  –      –           #1  4.250  –            –  dropped: top k
    Prompt: 1 passage, 99 of 2000 tokens

    Generation: llm_1 (http://r1), openai m, finished by stop
      answer 9 of 512 tokens, prompt 140 tokens by the model’s count
      citations: 1 kept ([1] chk_1), 1 removed
        [4] removed: the passage was left out of the prompt

    Degraded: invented_citation_removed

    Missing: what end wrote down (lost with the cache, or too large)"
  `);
});

it('is told without the parts that were lost', () => {
  const bare = { ...story, request: null, retrieval: null, generation: null, tries: [], waterfall: [] };
  expect(describeExplanation({ ...bare, degraded: [], missing: [], timings_ms: {} }, 72)).toBe(
    'qry_1: completed, at attempt 2\n\nWhere the time went',
  );
});
