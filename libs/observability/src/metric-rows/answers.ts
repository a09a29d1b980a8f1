import { searchMode } from './label-sets.ts';
import { buckets, type MetricRow } from './row.ts';

/** What answers are made of: vectors, found chunks, prompts, tokens, caches. */
export const answerRows = {
  rag_embedding_texts_total: {
    kind: 'counter',
    services: ['encoder'],
    labels: { priority: ['interactive', 'low'], result: ['whole', 'truncated'] },
    help: 'Texts through the sentence encoder.',
  },
  rag_retrieval_candidates: {
    kind: 'histogram',
    services: ['retriever'],
    labels: { index: ['dense', 'sparse', 'fused'] },
    buckets: buckets.count,
    help: 'Hits of a search that the ranking by vectors brought, that by words, and all together.',
  },
  rag_retrieval_top_score: {
    kind: 'histogram',
    services: ['retriever'],
    labels: { index: searchMode },
    buckets: buckets.score,
    help: 'Best cosine of a search.',
  },
  rag_retrieval_empty_total: {
    kind: 'counter',
    services: ['retriever'],
    labels: { index: searchMode },
    help: 'Searches with nothing above the floor.',
  },
  rag_context_tokens: {
    kind: 'histogram',
    services: ['retriever'],
    labels: {},
    buckets: buckets.tokens,
    help: 'Tokens of the passages in a prompt.',
  },
  rag_generation_tokens_total: {
    kind: 'counter',
    services: ['llm-generator'],
    labels: { direction: ['in', 'out'] },
    help: 'Tokens in and out of the model.',
  },
  rag_generation_first_token_seconds: {
    kind: 'histogram',
    services: ['llm-generator'],
    labels: {},
    buckets: buckets.firstToken,
    exemplars: true,
    help: 'From the call of the language model to its first token.',
  },
  rag_generation_time_per_output_token_seconds: {
    kind: 'histogram',
    services: ['llm-generator'],
    labels: {},
    buckets: buckets.perToken,
    help: 'Pace of the language model after the first token.',
  },
  rag_llm_requests_total: {
    kind: 'counter',
    services: ['llm-generator'],
    labels: {
      provider: ['ollama', 'openai'],
      outcome: [
        'ok',
        'client_error',
        'server_error',
        'rate_limited',
        'timeout',
        'connect',
        'malformed',
        'aborted',
        'late',
      ],
    },
    help: 'Calls of the language model, by how they ended.',
  },
  rag_answer_checks_total: {
    kind: 'counter',
    services: ['llm-generator'],
    labels: { check: ['citation'], result: ['kept', 'removed'] },
    help: 'What the server checked of answers: citations that point to a passage, and marks that point to none.',
  },
  rag_answers_total: {
    kind: 'counter',
    services: ['llm-generator'],
    labels: { grounding: ['cited', 'uncited'] },
    help: 'Answers with at least one citation, and with none.',
  },
  rag_cache_lookups_total: {
    kind: 'counter',
    services: ['gateway', 'encoder', 'retriever'],
    labels: {
      cache: ['answer', 'retrieval', 'embedding'],
      result: ['hit', 'miss', 'stale', 'bypass'],
    },
    help: 'Look-ups in a cache: there, not there, of an older collection version or other settings, not asked for (or no cache answers).',
  },
  rag_cache_errors_total: {
    kind: 'counter',
    services: ['gateway', 'encoder', 'retriever', 'llm-generator'],
    labels: { cause: ['late', 'away', 'refused', 'too_large'] },
    help: 'Cache commands that came to nothing: late, away, refused (full, read-only), too_large (entries not kept).',
  },
  rag_cache_available: {
    kind: 'gauge',
    services: ['gateway', 'encoder', 'retriever', 'llm-generator'],
    labels: {},
    help: '1 while the cache Redis answers in time; 0: queries run without caches.',
  },
  rag_cache_entries: {
    kind: 'gauge',
    services: ['gateway', 'encoder', 'retriever', 'llm-generator'],
    labels: {},
    help: 'Keys in the cache Redis, all kinds together: each service shows the same number.',
  },
} as const satisfies Record<string, MetricRow>;
