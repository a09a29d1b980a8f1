import { z } from 'zod';
import { answer, hits } from './answer.ts';
import { collectionName, timingsMs } from './envelope.ts';
import { webhookUrl } from './http-webhooks.ts';
import { documentFields } from './ingest/1-document.ts';
import { metadataFilter } from './metadata-filter.ts';
import { cacheMode, questionFields, searchMode } from './query/1-encode.ts';

/** The public HTTP shapes. Unknown fields are refused: a misspelt option must not be ignored in silence. */

/** A cold model on a CPU may need minutes. */
export const maxDeadlineMs = 300_000;

export const queryRequest = z.strictObject({
  query: questionFields.shape.query,
  collection: collectionName.optional(),
  top_k: z.int().min(1).max(50).optional(),
  stream: z.boolean().optional(),
  async: z.boolean().optional(),
  deadline_ms: z.int().min(1).max(maxDeadlineMs).optional(),
  mode: searchMode.optional(),
  filter: metadataFilter.optional(),
  /** May the answer, or parts of the work, come from a cache? */
  cache: cacheMode.optional(),
  /** With `async`: `query.completed` or `query.failed` is sent there. */
  webhook_url: webhookUrl.optional(),
});
export type QueryRequest = z.infer<typeof queryRequest>;

/**
 * Where an answer comes from: `hit` the cache; `shared` an identical question that was under way; `miss` or `stale`
 * (a kept answer no longer held) the pipeline; `bypass` the pipeline, unasked or because no cache answered.
 */
export const cacheOutcome = z.enum(['hit', 'miss', 'stale', 'shared', 'bypass']);
export type CacheOutcome = z.infer<typeof cacheOutcome>;

export const queryResponse = answer.omit({ made_from: true }).extend({
  cache: cacheOutcome.optional(),
  id: z.string(),
  attempt: z.int().min(1),
  timings_ms: timingsMs,
  request_id: z.string(),
});
export type QueryResponse = z.infer<typeof queryResponse>;

export const searchRequest = z.strictObject({
  query: questionFields.shape.query,
  collection: collectionName.optional(),
  top_k: questionFields.shape.top_k,
  mode: searchMode.optional(),
  filter: metadataFilter.optional(),
  /** May parts of the work come from a cache? */
  cache: cacheMode.optional(),
  /** So many chunks before and behind each hit come with it. */
  neighbours: questionFields.shape.neighbours,
});
export type SearchRequest = z.infer<typeof searchRequest>;

export const searchResponse = hits.extend({ id: z.string(), timings_ms: timingsMs, request_id: z.string() });
export type SearchResponse = z.infer<typeof searchResponse>;

export const ingestRequest = z.strictObject({
  user_id: documentFields.shape.user_id,
  document_id: documentFields.shape.document_id,
  content: documentFields.shape.content.regex(/\S/, 'must have text'),
  collection: documentFields.shape.collection,
  title: documentFields.shape.title,
});
export type IngestRequest = z.infer<typeof ingestRequest>;

export const ingestResponse = z.object({
  status: z.literal('accepted'),
  message: z.string(),
  /** The caller's own document id. */
  data: z.string(),
  job_id: z.string(),
});
export type IngestResponse = z.infer<typeof ingestResponse>;

export const problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  instance: z.string().optional(),
  code: z.string(),
  stage: z.string().nullable().optional(),
  retryable: z.boolean(),
  retry_after_ms: z.int().optional(),
  request_id: z.string().optional(),
  /** Of a query that was let in and got no answer: its story is at `/api/queries/{id}/explain`. */
  id: z.string().optional(),
  timings_ms: timingsMs.optional(),
  /** What is wrong with which field: a JSON pointer into the body. */
  errors: z.array(z.object({ pointer: z.string(), message: z.string() })).optional(),
});
export type Problem = z.infer<typeof problem>;
