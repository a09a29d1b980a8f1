import { z } from 'zod';
import { collectionName, jobHeader } from '../envelope.ts';
import { metadataFilter } from '../metadata-filter.ts';

/** Vectors, BM25, or both fused by reciprocal rank. */
export const searchMode = z.enum(['dense', 'sparse', 'hybrid']);
export type SearchMode = z.infer<typeof searchMode>;

/** `default` reads caches and fills them, `refresh` fills them only, `bypass` does neither. */
export const cacheMode = z.enum(['default', 'bypass', 'refresh']);
export type CacheMode = z.infer<typeof cacheMode>;

/** Most tokens a caller may ask an answer to have. */
export const maxAnswerTokens = 8192;

/** `job:encoder_in`: a question in words. `{"id","query"}` is a complete envelope. */
export const questionFields = z.object({
  query: z.string().trim().min(1, 'must not be empty').max(8000, 'must be at most 8,000 characters'),
  collection: collectionName.optional(),
  /** True: an empty `default` does not mean the documentation's collection. Of keys that are not for that one. */
  by_name_only: z.boolean().optional(),
  top_k: z.int().min(1).max(200).optional(),
  /** The retriever's setting when absent. */
  mode: searchMode.optional(),
  filter: metadataFilter.optional(),
  /** Hits only: chunks before and behind each hit that come with it. */
  neighbours: z.int().min(0).max(5).optional(),
  /** `hits` ends after retrieval: ranked chunks, no model call. */
  want: z.enum(['answer', 'hits']).default('answer'),
  /** Publish sources and token deltas while the answer is made. */
  stream: z.boolean().default(false),
  /** `default` when absent. */
  cache: cacheMode.optional(),
  /** Upper bound on generated tokens; the generator's own limit when absent. */
  max_tokens: z.int().min(1).max(maxAnswerTokens).optional(),
});

export const encodeInput = jobHeader.extend(questionFields.shape);
export type EncodeInput = z.infer<typeof encodeInput>;
