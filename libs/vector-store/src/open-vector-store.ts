import type { Logger } from '@vortex/observability';
import { withExactSearch } from './exact-search.ts';
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

/** Opens the configured store. @throws StoreUnavailable when another process owns the LanceDB folder. */
export async function openVectorStore(
  config: VectorStoreConfig,
  { exactBelow, log }: VectorStoreOptions,
): Promise<VectorStore> {
  if (config.kind === 'qdrant') return openQdrantStore({ ...config, log });
  const store = await openLanceStore({ dir: config.dir, log });
  return exactBelow > 0 ? withExactSearch(store, { exactBelow }) : store;
}
