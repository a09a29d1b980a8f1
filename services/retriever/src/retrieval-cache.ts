import { type Cache, cacheKeys, canonicalJson, keyDigest } from '@vortex/cache';
import type { CacheMode } from '@vortex/contracts';
import type { Metrics } from '@vortex/observability';
import { type Collection, collectionVersion } from '@vortex/registry';
import type { Found, Question, VisibleSearch } from './visible-search.ts';

/**
 * What a search found, kept under all it depends on: tenant, collection version, vector, text, mode, filter, limit. The
 * version was read before the search, so that an entry is of that state or of a later one, and nobody who comes after a
 * change looks under the version from before it.
 */
export interface RetrievalCache {
  /** @throws what the search throws; that is not kept. */
  search(collection: Collection, question: Question, mode: CacheMode | undefined): Promise<Looked>;
}

export type CacheWord = 'hit' | 'miss' | 'bypass';
export type Looked = Found & { cache: CacheWord };

export function createRetrievalCache(deps: {
  visibleSearch: Pick<VisibleSearch, 'search'>;
  cache: Cache;
  metrics: Pick<Metrics, 'add'>;
  ttlMs: number;
}): RetrievalCache {
  const { visibleSearch, cache, metrics, ttlMs } = deps;
  const count = (result: CacheWord) => metrics.add('rag_cache_lookups_total', { cache: 'retrieval', result });

  async function look(key: string, mode: CacheMode | undefined): Promise<Found | 'miss' | 'bypass'> {
    const found = mode === 'refresh' || ttlMs === 0 ? null : await cache.get([key]);
    if (found === null) {
      count('bypass');
      return 'bypass';
    }
    const kept = found[0] == null ? null : readEntry(found[0]);
    count(kept === null ? 'miss' : 'hit');
    return kept ?? 'miss';
  }

  return {
    async search(collection, question, mode) {
      const version = collectionVersion(collection);
      if (mode === 'bypass' || version === null) {
        count('bypass');
        return { ...(await visibleSearch.search(collection, question)), cache: 'bypass' };
      }
      const key = cacheKeys.entry('retrieval', digestOf(collection.tenant, version, question));
      const looked = await look(key, mode);
      if (typeof looked !== 'string') return { ...looked, cache: 'hit' };
      const found = await visibleSearch.search(collection, question);
      cache.put(key, JSON.stringify(found), ttlMs);
      return { ...found, cache: looked };
    },
  };
}

function digestOf(tenant: string, version: string, { search, limit, filter, cosines }: Question): string {
  const { mode, text } = search;
  const vector = search.mode === 'sparse' ? new Float32Array() : search.vector;
  const bytes = new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength);
  const options = canonicalJson([mode, limit, filter ?? null, cosines === true]);
  // The words take no part in a search by vectors.
  return keyDigest(tenant, version, bytes, mode === 'dense' ? '' : text, options);
}

/** Written by a retriever of the same format of keys; what is no such thing is a miss. */
function readEntry(bytes: Buffer): Found | null {
  try {
    const found = JSON.parse(bytes.toString()) as Partial<Found> | null;
    return Array.isArray(found?.hits) && found.bestCosine !== undefined ? (found as Found) : null;
  } catch {
    return null;
  }
}
