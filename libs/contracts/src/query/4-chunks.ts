import { z } from 'zod';
import { jobHeader } from '../envelope.ts';
import { chunkResponse } from '../http-documents.ts';

/** `job:retriever_chunks`: a page of a document version's chunks, in its order. */
export const chunksInput = jobHeader.extend({
  collection: z.string(),
  document_id: z.string().min(1),
  version: z.int().min(1),
  /** Ordinal of the first. */
  from: z.int().min(0),
  limit: z.int().min(1).max(200),
});

/** Empty when the version has no such chunks (any more). */
export const chunksPage = z.object({ chunks: z.array(chunkResponse) });
export type ChunksPage = z.infer<typeof chunksPage>;
