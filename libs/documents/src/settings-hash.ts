import { createHash } from 'node:crypto';
import type { ChunkingStrategy } from '@vortex/contracts';

/** Goes up when parser or chunker make something else of the same bytes: what is visible is then built anew. */
export const documentEdition = 5;

export interface ChunkSettings {
  strategy: ChunkingStrategy;
  maxTokens: number;
  overlapTokens: number;
}

/** The least a chunk may be given (chunk-context.ts). */
const minChunkTokens = 16;

/** A collection's own, as the registry keeps them; null: it says nothing. */
export interface CollectionChunking {
  chunkingStrategy: ChunkingStrategy | null;
  chunkSize: number | null;
  chunkOverlap: number | null;
}

/**
 * What a document is chunked by: the request's word, else its collection's (null: there is none yet), else the
 * configuration's; a size the encoder does not take is clamped, and `notes` say so where the request asked for it.
 */
export function chunkSettings(
  asked: Partial<ChunkSettings>,
  collection: CollectionChunking | null,
  configured: ChunkSettings,
  encoderMaxTokens: number,
): { settings: ChunkSettings; notes: string[] } {
  const notes: string[] = [];
  const size = asked.maxTokens ?? collection?.chunkSize ?? configured.maxTokens;
  const maxTokens = Math.max(minChunkTokens, Math.min(size, encoderMaxTokens));
  if (asked.maxTokens !== undefined && asked.maxTokens > maxTokens) {
    notes.push(
      `chunk_size was clamped from ${asked.maxTokens} to ${maxTokens} tokens, the most the encoder takes`,
    );
  }
  const overlap = asked.overlapTokens ?? collection?.chunkOverlap ?? configured.overlapTokens;
  const overlapTokens = Math.min(overlap, Math.floor(maxTokens / 2));
  if (asked.overlapTokens !== undefined && asked.overlapTokens > overlapTokens) {
    notes.push(
      `chunk_overlap was clamped from ${asked.overlapTokens} to ${overlapTokens} tokens, half a chunk`,
    );
  }
  const strategy = asked.strategy ?? collection?.chunkingStrategy ?? configured.strategy;
  return { settings: { strategy, maxTokens, overlapTokens }, notes };
}

/** Of everything beside the bytes that shapes what is stored: the same hash and the same bytes are not built twice. */
export function settingsHash(shaping: {
  mediaType: string;
  title: string | null;
  metadata: Record<string, unknown>;
  chunking: ChunkSettings;
}): string {
  const { mediaType, title, metadata, chunking } = shaping;
  const parts = [documentEdition, mediaType, title, sorted(metadata), chunking.strategy, chunking.maxTokens];
  return createHash('sha256')
    .update(JSON.stringify([...parts, chunking.overlapTokens]))
    .digest('hex');
}

/** The same metadata with its keys in another order is the same. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
}
