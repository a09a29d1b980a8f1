import type { StageHandler } from '@vortex/runtime';
import { rowId, type VectorStore } from '@vortex/vector-store';

/** In: which chunks of a document version. Out: those of them that stand in the store, in order. Refuses nothing. */
export interface ChunksDeps {
  store: Pick<VectorStore, 'fetch'>;
}

export function createChunksStage({ store }: ChunksDeps): StageHandler<'chunks'> {
  return async function readChunks({ collection, document_id, version, from, limit }, { job }) {
    const scope = { tenant: job.tenant, collection };
    const ids = Array.from({ length: limit }, (_, place) =>
      rowId(scope, { document_id, version, ordinal: from + place }),
    );
    const stored = await store.fetch(scope, ids);
    const chunks = stored
      .sort((one, other) => one.ordinal - other.ordinal)
      .map(({ chunk_id, text, source_span, page, heading_path, context, ordinal, tokens }) => ({
        ...{ chunk_id, text, source_span, page, heading_path, context, ordinal, tokens },
      }));
    return { kind: 'done', result: { chunks } };
  };
}
