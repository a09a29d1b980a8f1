import { z } from 'zod';
import { citation } from './answer.ts';
import { failedTry, timingsMs } from './envelope.ts';
import { failureCodes } from './failure.ts';
import { searchMode } from './query/1-encode.ts';

/**
 * The story of a past query, as its stages wrote it down beside their work: each a part of its own, in the cache Redis,
 * none of which holds a passage, an answer or a prompt. `GET /api/queries/{id}/explain` puts the parts together.
 */
export const explainParts = ['gateway', 'retrieve', 'generate', 'end'] as const;
export type ExplainPart = (typeof explainParts)[number];

/** What is written down at most of each list; beside it stands how many there were. */
export const maxExplained = { candidates: 40, citations: 50 } as const;

const place = z.object({ score: z.number(), rank: z.int().min(1) });

/**
 * Why a candidate is not in the prompt. `top_k`: ranked behind what was asked for. `below_floor`: the question was
 * refused, as no candidate reached the floor. `over_budget`: the prompt had no room left.
 */
export const droppedReason = z.enum(['top_k', 'below_floor', 'over_budget']);

export const explainedCandidate = z.object({
  /** In the final order; 1 for the best. */
  rank: z.int().min(1),
  document_id: z.string(),
  /** Null of those behind `top_k`: their chunks were not read. */
  chunk_id: z.string().nullable(),
  title: z.string().nullable(),
  dense: place.nullable(),
  sparse: place.nullable(),
  fused: z.number().nullable(),
  /** What the floor is measured in; null when it was not worked out. */
  cosine: z.number().nullable(),
  /** What it takes in the prompt; null when it was not read. */
  tokens: z.int().nullable(),
  /** Null: it is in the prompt (of a search: among the hits). */
  dropped: droppedReason.nullable(),
});
export type ExplainedCandidate = z.infer<typeof explainedCandidate>;

const cacheWord = z.enum(['hit', 'miss', 'bypass']);

export const explainedRetrieval = z.object({
  collection: z.string(),
  mode: searchMode,
  top_k: z.int(),
  /** The floor, the best cosine, and whether a hit had the question's words although it is below. */
  relevance: z
    .object({ floor: z.number(), best: z.number().nullable(), found_by_words: z.boolean() })
    .nullable(),
  outcome: z.enum(['prompt', 'refused', 'hits']),
  cache: z.object({ embedding: cacheWord.nullable(), retrieval: cacheWord }),
  /** How many each way of searching brought into the ranking; null: it was not asked. */
  ranked: z.object({ dense: z.int().nullable(), sparse: z.int().nullable() }),
  candidates: z.array(explainedCandidate),
  /** Null: there was no prompt. */
  prompt: z
    .object({ passage_tokens: z.object({ allowed: z.int(), used: z.int() }), passages: z.int() })
    .nullable(),
  degraded: z.array(z.string()),
});
export type ExplainedRetrieval = z.infer<typeof explainedRetrieval>;

/** A mark that was taken out of the answer: it named no passage at all, or one that was left out of the prompt. */
export const removedCitation = z.object({
  marker: z.int(),
  reason: z.enum(['no_such_passage', 'not_in_prompt']),
});
export type RemovedCitation = z.infer<typeof removedCitation>;

export const explainedGeneration = z.object({
  worker: z.string(),
  replica: z.string(),
  provider: z.string(),
  model: z.string(),
  /** As the model's server counts them; the prompt's with instructions and question. */
  tokens: z.object({
    prompt: z.int().nullable(),
    answer: z.object({ allowed: z.int(), used: z.int().nullable() }),
  }),
  finish: z.string(),
  citations: z.object({
    kept: z.array(citation.pick({ marker: true, chunk_id: true, answer_span: true })),
    removed: z.array(removedCitation),
    kept_count: z.int(),
    removed_count: z.int(),
  }),
  degraded: z.array(z.string()),
});
export type ExplainedGeneration = z.infer<typeof explainedGeneration>;

const endStatus = z.enum(['completed', 'failed', 'cancelled', 'deadline_exceeded']);
const explainedError = z.object({ code: z.string(), message: z.string(), stage: z.string().nullable() });

/** By the worker that ended a job: when it had troubles, or when no gateway waits for it. */
export const explainedEnd = z.object({
  status: endStatus,
  stage: z.string(),
  error: explainedError.extend({ code: z.enum(failureCodes) }).nullable(),
  attempt: z.int().min(1),
  /** Deliveries of the last stage beyond the first. */
  redelivered: z.int().min(0),
  tries: z.array(failedTry),
  timings_ms: timingsMs,
});
export type ExplainedEnd = z.infer<typeof explainedEnd>;

/** By the gateway that was asked; of an asynchronous query, when it was queued. */
export const explainedRequest = z.object({
  request_id: z.string(),
  trace_id: z.string(),
  mode: z.enum(['sync', 'stream', 'async', 'search']),
  /** RFC 3339. */
  asked_at: z.string(),
  /** As it was asked for. */
  collection: z.string().nullable().default(null),
  /** The beginning of it; null when `explain.question` is off. */
  question: z.string().nullable(),
  deadline_ms: z.int(),
  status: z.union([endStatus, z.literal('queued')]),
  error: explainedError.nullable(),
  answered: z.boolean().nullable(),
  cache: z.string().nullable(),
  /** The id of the identical question whose answer this one was given; its story has the stages. */
  shared_with: z.string().nullable(),
  worker: z.string().nullable(),
  replica: z.string().nullable(),
  attempt: z.int().min(1),
  degraded: z.array(z.string()),
  timings_ms: timingsMs,
});
export type ExplainedRequest = z.infer<typeof explainedRequest>;

/** One bar of the waterfall: named durations in the order they were spent, laid end to end. */
const bar = z.object({
  name: z.string(),
  kind: z.enum(['gateway', 'queue', 'retry', 'stage']),
  start_ms: z.number(),
  ms: z.number(),
});

export const queryExplanation = z.object({
  id: z.string(),
  status: z.string(),
  /** Null when the gateway's part was lost, or the question was pushed by hand. */
  request: explainedRequest.nullable(),
  timings_ms: timingsMs,
  waterfall: z.array(bar),
  tries: z.array(failedTry),
  attempt: z.int().min(1),
  retrieval: explainedRetrieval.nullable(),
  generation: explainedGeneration.nullable(),
  error: explainedError.nullable(),
  degraded: z.array(z.string()),
  /** Parts that should be there and are not: lost with the cache, too large, or not written yet. */
  missing: z.array(z.enum(explainParts)),
});
export type QueryExplanation = z.infer<typeof queryExplanation>;
export type WaterfallBar = z.infer<typeof bar>;
