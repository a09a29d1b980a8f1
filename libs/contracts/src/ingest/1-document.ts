import { z } from 'zod';
import { collectionName, jobHeader, jobId } from '../envelope.ts';
import { chunkingStrategy, documentMetadata, externalId } from '../http-documents.ts';
import { storedText } from '../stored-text.ts';

/**
 * `ingestion_queue`: a document whose text travels in the envelope (the light way in). The raw body
 * `{"user_id","document_id","content"}`, pushed by hand, is a complete envelope: its job id is then
 * derived from its bytes, so that a redelivery keeps it.
 */
export const documentFields = z.object({
  /** The caller's own id, unique per tenant and collection; ours is the generated `doc_…`. */
  document_id: externalId,
  user_id: z.string().min(1).max(512).overwrite(storedText).optional(),
  content: z.string().min(1),
  collection: collectionName.optional(),
  title: z.string().min(1).max(1000).overwrite(storedText).optional(),
  media_type: z.enum(['text/plain', 'text/markdown']).optional(),
});

export const ingestInput = jobHeader.extend(documentFields.shape).extend({ id: jobId });
export type IngestInput = z.infer<typeof ingestInput>;

/**
 * `queue:document_upload`: the element is the job's id and nothing else. The header is made by whoever
 * claims it, from the job's row in the registry.
 */
export const uploadInput = jobHeader;
export type UploadInput = z.infer<typeof uploadInput>;

/**
 * `payload` of a document's job in the registry: all that its worker needs beside the original, and what
 * `GET /api/jobs/{id}` shows. Whoever accepts the document writes it, chunking resolved and clamped.
 */
export const documentJobPayload = z.object({
  collection: collectionName,
  external_id: externalId,
  filename: z.string().nullable(),
  /** Somebody gave it; it stands in front of every chunk. Null: the document's own is taken. */
  title: z.string().nullable(),
  /** As it was sniffed. */
  media_type: z.string(),
  /** SHA-256 of the original, its name in the originals' store. */
  content_hash: z.string(),
  bytes: z.int().min(0),
  metadata: documentMetadata,
  /** Tokens. */
  chunk_size: z.int().min(1),
  chunk_overlap: z.int().min(0),
  chunking_strategy: chunkingStrategy,
  /** The light way in: when the document was put on its list, before anybody wrote its row. Epoch ms. */
  accepted_at: z.number().optional(),
});
export type DocumentJobPayload = z.infer<typeof documentJobPayload>;

/** `result` of both stages' completions, and of the job. */
export const ingestResult = z.object({
  document_id: z.string(),
  external_id: z.string(),
  collection: z.string(),
  chunk_count: z.int().min(0),
  processing_time_ms: z.number(),
});
export type IngestResult = z.infer<typeof ingestResult>;
