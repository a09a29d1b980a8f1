import { z } from 'zod';
import { collectionName, jobHeader } from '../envelope.ts';

/** Most tokens a caller may ask an answer to have. */
export const maxAnswerTokens = 8192;

/** `job:encoder_in`: a question in words. `{"id","query"}` is a complete envelope. */
export const questionFields = z.object({
  query: z.string().trim().min(1, 'must not be empty').max(8000, 'must be at most 8,000 characters'),
  collection: collectionName.optional(),
  top_k: z.int().min(1).max(50).optional(),
  /** `hits` ends after retrieval: ranked chunks, no model call. */
  want: z.enum(['answer', 'hits']).default('answer'),
  /** Publish sources and token deltas while the answer is made. */
  stream: z.boolean().default(false),
  /** Upper bound on generated tokens; the generator's own limit when absent. */
  max_tokens: z.int().min(1).max(maxAnswerTokens).optional(),
});

export const encodeInput = jobHeader.extend(questionFields.shape);
export type EncodeInput = z.infer<typeof encodeInput>;
