import { z } from 'zod';
import { collectionName } from './envelope.ts';
import { chunkingStrategy } from './http-documents.ts';

/** Collections over HTTP: `/api/collections[/{name}]`. */

const settings = {
  /** Best cosine under which a question is refused; null: the configuration's. */
  relevance_floor: z.number().min(-1).max(1).nullable().optional(),
  /** Defaults for documents that do not say; null: the configuration's. */
  chunk_size: z.int().min(16).max(100_000).nullable().optional(),
  chunk_overlap: z.int().min(0).max(100_000).nullable().optional(),
  chunking_strategy: chunkingStrategy.nullable().optional(),
};

export const createCollectionRequest = z.strictObject({
  name: collectionName,
  /** Name or fingerprint of the encoder's model; refused when the encoder has another. */
  model: z.string().min(1).max(200).optional(),
  dimension: z.int().min(1).optional(),
  ...settings,
});
export type CreateCollectionRequest = z.infer<typeof createCollectionRequest>;

/** Absent: as it is. Null: back to the configuration's default. */
export const updateCollectionRequest = z.strictObject(settings);
export type UpdateCollectionRequest = z.infer<typeof updateCollectionRequest>;

export const collectionResponse = z.object({
  name: z.string(),
  /** Fingerprint of the model its vectors were made with; null until the first are stored. */
  embedding_model: z.string().nullable(),
  /** The same, as requests call it. */
  model: z.string().nullable(),
  dimension: z.int().nullable(),
  relevance_floor: z.number().nullable(),
  chunk_size: z.int().nullable(),
  chunk_overlap: z.int().nullable(),
  chunking_strategy: chunkingStrategy.nullable(),
  /** Of visible documents. */
  documents: z.int().min(0),
  chunks: z.int().min(0),
  bytes: z.int().min(0),
  created_at: z.string(),
  updated_at: z.string(),
});
export type CollectionResponse = z.infer<typeof collectionResponse>;

export const collectionList = z.object({ collections: z.array(collectionResponse) });
export type CollectionList = z.infer<typeof collectionList>;

export const collectionDeleted = z.object({
  name: z.string(),
  deleted: z.literal(true),
  /** Documents that went with it. */
  documents: z.int().min(0),
  message: z.string(),
});
export type CollectionDeleted = z.infer<typeof collectionDeleted>;
