import { z } from 'zod';
import { timingsMs } from './envelope.ts';
import { failureCodes } from './failure.ts';
import { searchMode } from './query/1-encode.ts';

/** `[start, end)` into the document's extracted text, in UTF-16 code units: `text.slice(start, end)`. */
export const sourceSpan = z.tuple([z.int().min(0), z.int().min(0)]);

/** A passage that retrieval put into the prompt. */
export const source = z.object({
  chunk_id: z.string(),
  document_id: z.string(),
  title: z.string(),
  heading_path: z.array(z.string()),
  page: z.int().min(1).nullable(),
  source_span: sourceSpan,
  /** The chunk's text: `text.slice(...source_span)` of the document. */
  excerpt: z.string(),
  /** Cosine similarity of question and chunk, −1 to 1; in mode `sparse`, which has no vector, the BM25 score. */
  score: z.number(),
  /** 1 for the best hit. */
  rank: z.int().min(1),
  used_in_prompt: z.boolean(),
});
export type Source = z.infer<typeof source>;

/** A mark `[n]` in the answer, resolved on the server to the chunk it names. */
export const citation = z.object({
  marker: z.int().min(1),
  /** `[start, end)` of the sentence (or clause) in `answer` that the mark closes. */
  answer_span: sourceSpan,
  document_id: z.string(),
  title: z.string(),
  chunk_id: z.string(),
  heading_path: z.array(z.string()),
  page: z.int().min(1).nullable(),
  source_span: sourceSpan,
  excerpt: z.string(),
  score: z.number(),
});
export type Citation = z.infer<typeof citation>;

export const refusal = z.object({
  reason: z.enum(['no_relevant_context']),
  /** The collection's relevance floor and the best cosine found (null: nothing stored). */
  floor: z.number(),
  best: z.number().nullable(),
});

/** What an answer was made from: it may be given again as long as all of this still holds. */
export const madeFrom = z.object({
  /** State of the collection that was searched; null: one that has no name. */
  collection_version: z.string().nullable(),
  /** Fingerprints of the settings the retriever and the generator worked by; null: no model was called. */
  retrieval: z.string(),
  generation: z.string().nullable(),
});
export type MadeFrom = z.infer<typeof madeFrom>;

/** What a stage may say of work it cut; a list that grows, so readers take words they do not know. */
export const degradedReasons = [
  'query_truncated',
  'invented_citation_removed',
  'answer_truncated',
  'answer_cut_to_deadline',
] as const;
const degraded = z
  .array(z.string())
  .describe(`Why this may be less than was asked for: ${degradedReasons.join(', ')}; more may come.`);

/** What a finished query says, before the gateway adds what only it knows. */
export const answer = z.object({
  answered: z.boolean(),
  answer: z.string(),
  refusal: refusal.nullable(),
  citations: z.array(citation),
  sources: z.array(source),
  /** WORKER_NAME of the generator; null when no model was called. */
  worker: z.string().nullable(),
  replica: z.string().nullable(),
  model: z.string().nullable(),
  collection: z.string(),
  degraded,
  usage: z.object({ prompt_tokens: z.int().nullable(), completion_tokens: z.int().nullable() }),
  /** For the gateway's cache. Absent in answers of older workers, which are not kept. */
  made_from: madeFrom.optional(),
});
export type Answer = z.infer<typeof answer>;

/** Where one way of searching put a chunk. */
const scorePart = z.object({ score: z.number(), rank: z.int().min(1) });

const neighbour = z.object({
  chunk_id: z.string(),
  text: z.string(),
  page: z.int().min(1).nullable(),
  source_span: sourceSpan,
});

export const hit = z.object({
  document_id: z.string(),
  version: z.int().min(1),
  title: z.string(),
  chunk_id: z.string(),
  text: z.string(),
  /** What the hits are ordered by: cosine (dense), BM25 (sparse) or the fused score (hybrid). */
  score: z.number(),
  /** Null: that way of searching was not asked, or did not find this chunk among its candidates. */
  scores: z.object({
    dense: scorePart.nullable(),
    sparse: scorePart.nullable(),
    /** Sum of 1 / (60 + rank) over the ways of searching; null outside of hybrid. */
    fused: z.number().nullable(),
  }),
  heading_path: z.array(z.string()),
  /** Embedded and shown to the model in front of the text. */
  context: z.string(),
  page: z.int().min(1).nullable(),
  source_span: sourceSpan,
  metadata: z.record(z.string(), z.unknown()),
  /** Of the same document version, nearest last before and nearest first behind; absent when not asked for. */
  neighbours: z.object({ before: z.array(neighbour), after: z.array(neighbour) }).optional(),
});
export type Hit = z.infer<typeof hit>;

/** The result of a `want: "hits"` query. */
export const hits = z.object({
  hits: z.array(hit),
  collection: z.string(),
  mode: searchMode,
  degraded,
});
export type Hits = z.infer<typeof hits>;

const jobError = z.object({
  code: z.enum(failureCodes),
  message: z.string(),
  /** Stage that gave up; null when none had it in hand. */
  stage: z.string().nullable(),
  retryable: z.boolean(),
});

const completionHeader = z.object({
  id: z.string(),
  v: z.literal(1).default(1),
  attempt: z.int().min(1),
  timings_ms: timingsMs,
});

/** The value of `job:completion:<id>`: flat, so that a person who polls the key reads `answer` at the top. */
export const failedCompletion = completionHeader.extend({
  status: z.enum(['failed', 'cancelled', 'deadline_exceeded']),
  error: jobError,
});
export type FailedCompletion = z.infer<typeof failedCompletion>;

export type CompletionHeader = z.infer<typeof completionHeader>;
export type Completed<Result> = CompletionHeader & { status: 'completed' } & Result;
export type Completion<Result> = Completed<Result> | FailedCompletion;

/** Schema of a completion whose result has the given shape. */
export function completionOf<Shape extends z.ZodRawShape>(result: z.ZodObject<Shape>) {
  return z.discriminatedUnion('status', [
    completionHeader.extend({ status: z.literal('completed') }).extend(result.shape),
    failedCompletion,
  ]);
}
