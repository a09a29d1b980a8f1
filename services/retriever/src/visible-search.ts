import type { Collection, Registry } from '@vortex/registry';
import { type DocumentVersion, type StoreHit, type VectorStore, versionKey } from '@vortex/vector-store';

/**
 * Searches what may be seen. The store holds rows of versions that are being written, or that a newer
 * version has replaced and nobody has purged yet; the registry alone knows which version of a document
 * is visible.
 *
 * Per collection:
 *   - every hit's version is looked up once per revision of the collection (a point read, then a map);
 *   - a version found invisible is excluded inside the store's search from then on, and looked up again
 *     when the revision moves, because it may have been published meanwhile;
 *   - while a search brought invisible hits, it is repeated without them, so that the answer is full.
 * In a quiet collection that costs nothing; while documents are written, one more search per new version.
 */
export interface VisibleSearch {
  /** Best first, visible versions only. Empty when the collection has no rows yet. */
  search(collection: Collection, vector: Float32Array, limit: number): Promise<StoreHit[]>;
  /** The store is about to hold rows of a version that is not visible yet: spares the first search its repeat. */
  expectInvisible(scope: { tenant: string; collection: string }, version: DocumentVersion): void;
  /** The version's rows are gone from the store: nothing to exclude any more. */
  forget(scope: { tenant: string; collection: string }, version: DocumentVersion): void;
}

interface CollectionView {
  revision: number;
  visible: Set<string>;
  excluded: Map<string, DocumentVersion>;
}

/** A search is repeated at most so often; each repeat excludes at least one more version. */
const maxRounds = 8;

export function createVisibleSearch(deps: { registry: Registry; store: VectorStore }): VisibleSearch {
  const views = new Map<string, CollectionView>();

  function viewOf(tenant: string, name: string): CollectionView {
    const key = JSON.stringify([tenant, name]);
    let view = views.get(key);
    if (view === undefined) {
      view = { revision: -1, visible: new Set(), excluded: new Map() };
      views.set(key, view);
    }
    return view;
  }

  async function refresh(view: CollectionView, collection: Collection): Promise<void> {
    if (view.revision === collection.revision) return;
    // The revision was read before the states below: what is cached is at least as new as the number.
    view.revision = collection.revision;
    view.visible.clear();
    for (const version of [...view.excluded.values()]) {
      if (await isVisible(view, collection.tenant, version)) view.excluded.delete(versionKey(version));
    }
  }

  async function isVisible(view: CollectionView, tenant: string, version: DocumentVersion): Promise<boolean> {
    const key = versionKey(version);
    if (view.visible.has(key)) return true;
    const state = await deps.registry.versionState(tenant, version.document_id, version.version);
    if (state === 'visible') view.visible.add(key);
    return state === 'visible';
  }

  return {
    async search(collection, vector, limit) {
      const { tenant, name } = collection;
      const scope = { tenant, collection: name };
      const view = viewOf(tenant, name);
      await refresh(view, collection);
      let hits: StoreHit[] = [];
      for (let round = 0; round < maxRounds; round += 1) {
        const found = await deps.store.search(scope, {
          vector,
          limit,
          excluded: [...view.excluded.values()],
        });
        hits = [];
        let invisible = 0;
        for (const hit of found) {
          if (await isVisible(view, tenant, hit.chunk)) hits.push(hit);
          else {
            invisible += 1;
            view.excluded.set(versionKey(hit.chunk), {
              document_id: hit.chunk.document_id,
              version: hit.chunk.version,
            });
          }
        }
        if (invisible === 0) break;
      }
      return hits;
    },

    expectInvisible({ tenant, collection }, version) {
      const view = viewOf(tenant, collection);
      if (!view.visible.has(versionKey(version))) view.excluded.set(versionKey(version), version);
    },

    forget({ tenant, collection }, version) {
      viewOf(tenant, collection).excluded.delete(versionKey(version));
    },
  };
}
