import type { Logger } from '@vortex/observability';
import { withExactSearch } from './exact-search.ts';
import { gatherUpserts } from './gather-upserts.ts';
import { openLanceStore } from './lancedb-store.ts';
import { openQdrantStore } from './qdrant-store.ts';
import type { VectorStore } from './vector-store.ts';

export type VectorStoreConfig =
  | { kind: 'lancedb'; dir: string }
  | { kind: 'qdrant'; url: string; apiKey?: string | null; collectionPrefix?: string };

export interface VectorStoreOptions {
  /**
   * LanceDB collections of at most this many rows are searched exactly, in memory; 0 turns that off.
   * Never done over Qdrant: several retrievers may write there, and none hears of the others' writes.
   */
  exactBelow: number;
  log: Logger;
}

/** A document of a stream waits that long for its rows at most, and 20 of 80 a second are written together. */
const pauseMs = 300;

/** Opens the configured store. @throws StoreUnavailable when another process owns the LanceDB folder. */
export async function openVectorStore(
  config: VectorStoreConfig,
  { exactBelow, log }: VectorStoreOptions,
): Promise<VectorStore> {
  if (config.kind === 'qdrant') return gatherUpserts(await openQdrantStore({ ...config, log }), { pauseMs });
  const store = await openLanceStore({ dir: config.dir, log });
  return gatherUpserts(exactBelow > 0 ? withExactSearch(store, { exactBelow }) : store, { pauseMs });
}
