import { z } from 'zod';
import { encodeInput } from './1-encode.ts';

/** `job:retriever_in`: the question with its vector. */
export const retrieveInput = encodeInput.extend({
  /** Absent for `mode: sparse`, which compares words only. Base64 of little-endian float32, L2-normalised (see vector-codec.ts). */
  embedding: z.base64().min(4).optional(),
  /** Fingerprint of the model that made the vector; must match the collection's. */
  embedding_model: z.string().min(1).optional(),
  /** Why the answer may be less than asked for, e.g. `query_truncated`. */
  /** Whether the vector was kept from before; told to who asks how the answer came about. */
  embedding_cache: z.enum(['hit', 'miss', 'bypass']).optional(),
  degraded: z.array(z.string()).default([]),
});
