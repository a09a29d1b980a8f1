import type { Logger } from '@vortex/observability';
import { withExactSearch } from './exact-search.ts';
import { openLanceStore } from './lancedb-store.ts';
import type { VectorStore } from './vector-store.ts';

export type VectorStoreConfig = { kind: 'lancedb'; dir: string };

export interface VectorStoreOptions {
  /** Collections of at most this many rows are searched exactly, in memory; 0 turns that off. */
  exactBelow: number;
  log: Logger;
}

/** Opens the configured store. */
export async function openVectorStore(
  config: VectorStoreConfig,
  { exactBelow, log }: VectorStoreOptions,
): Promise<VectorStore> {
  const store = await openLanceStore({ dir: config.dir, log });
  return exactBelow > 0 ? withExactSearch(store, { exactBelow }) : store;
}
