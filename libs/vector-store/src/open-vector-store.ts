import type { Logger } from '@vortex/observability';
import { openLanceStore } from './lancedb-store.ts';
import type { VectorStore } from './vector-store.ts';

export type VectorStoreConfig = { kind: 'lancedb'; dir: string };

/** Opens the configured store. */
export async function openVectorStore(
  config: VectorStoreConfig,
  options: { exactBelow: number; log: Logger },
): Promise<VectorStore> {
  return openLanceStore({ dir: config.dir, log: options.log });
}
