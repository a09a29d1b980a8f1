import { decodeVector, type InputOf, type Outcome } from '@vortex/contracts';
import { assertBound, type Registry } from '@vortex/registry';
import type { StageHandler } from '@vortex/runtime';
import type { VectorStore } from '@vortex/vector-store';
import type { VisibleSearch } from './visible-search.ts';
import type { WriteGate } from './write-gate.ts';

/**
 * In: a group of chunks with their vectors. Out: how many rows stand in the store. Storing a group twice
 * changes nothing. A group of a version that was superseded, failed or deleted meanwhile is dropped.
 * Refused: vectors of another model than the collection's.
 */
export interface StoreDeps {
  registry: Pick<Registry, 'bindModel' | 'versionState'>;
  store: Pick<VectorStore, 'ensureCollection' | 'upsert' | 'deleteVersions'>;
  visibleSearch: Pick<VisibleSearch, 'expectInvisible'>;
  gate: Pick<WriteGate, 'write'>;
}

export function createStoreStage({ registry, store, visibleSearch, gate }: StoreDeps): StageHandler<'store'> {
  return async function storeGroup(input, { job }) {
    const { collection, document_id, version } = input;
    const place = { tenant: job.tenant, collection, document: { document_id, version } };
    return gate.write(place, () => storeIfWanted(input, job));
  };

  async function storeIfWanted(input: InputOf<'store'>, job: { tenant: string }): Promise<Outcome<'store'>> {
    const { collection, document_id, version, title, embedding_model } = input;
    const scope = { tenant: job.tenant, collection };
    const wanted = async () => {
      const state = await registry.versionState(job.tenant, document_id, version);
      return state === 'building' || state === 'visible';
    };
    if (!(await wanted())) return { kind: 'done', result: { stored: 0, truncated: 0 } };

    const rows = input.chunks.map(({ embedding, ...chunk }) => ({
      ...chunk,
      document_id,
      version,
      title,
      vector: decodeVector(embedding),
    }));
    const dimension = rows[0]?.vector.length ?? 0;
    const asked = { ...scope, embeddingModel: embedding_model, dimension };
    assertBound(asked, await registry.bindModel(asked));
    await store.ensureCollection(scope, { dimension, modelFingerprint: embedding_model });
    visibleSearch.expectInvisible(scope, { document_id, version });
    await store.upsert(scope, rows);

    // The document may have been deleted while the rows were written; its purge has then run already.
    if (await wanted()) return { kind: 'done', result: { stored: rows.length, truncated: input.truncated } };
    await store.deleteVersions(scope, [{ document_id, version }]);
    return { kind: 'done', result: { stored: 0, truncated: 0 } };
  }
}
