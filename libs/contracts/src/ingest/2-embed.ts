import { z } from 'zod';
import { sourceSpan } from '../answer.ts';
import { jobHeader } from '../envelope.ts';

/** A piece of a document: `text` is exactly `documentText.slice(...source_span)`. */
export const chunk = z.object({
  chunk_id: z.string(),
  /** Place in the document, from 0. */
  ordinal: z.int().min(0),
  text: z.string().min(1),
  source_span: sourceSpan,
  page: z.int().min(1).nullable(),
  heading_path: z.array(z.string()),
  /** Embedded and shown to the model in front of the text: heading path, a table's header row. May be empty. */
  context: z.string(),
  tokens: z.int().min(1),
});
export type Chunk = z.infer<typeof chunk>;

const groupFields = z.object({
  collection: z.string(),
  document_id: z.string(),
  /** Rows of a version stay invisible until the registry makes that version the document's. */
  version: z.int().min(1),
  title: z.string(),
});

/** `job:encoder_in:low`: a few chunks of one document version, to be embedded. */
export const embedInput = jobHeader
  .extend(groupFields.shape)
  .extend({ chunks: z.array(chunk).min(1).max(256) });

const embeddedChunk = chunk.extend({ embedding: z.base64().min(4) });

/** `job:retriever_in:low`: the same chunks with their vectors, to be stored. Storing twice changes nothing. */
export const storeInput = jobHeader.extend(groupFields.shape).extend({
  embedding_model: z.string().min(1),
  chunks: z.array(embeddedChunk).min(1).max(256),
  /** Chunks longer than the model takes: the end of their text is not in their vector. */
  truncated: z.int().min(0).default(0),
});

export const storeResult = z.object({ stored: z.int().min(0), truncated: z.int().min(0).default(0) });
export type StoreResult = z.infer<typeof storeResult>;
