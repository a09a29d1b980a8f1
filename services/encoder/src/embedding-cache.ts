import { type Cache, cacheKeys, keyDigest, normalizedText } from '@vortex/cache';
import type { CacheMode } from '@vortex/contracts';
import type { Embedder, Embedding } from '@vortex/embedding';
import type { Metrics } from '@vortex/observability';

/**
 * Vectors of questions, kept under the tenant, the model's fingerprint and the text: a vector is nobody's secret, but that
 * it is there already would tell one tenant what another has asked. The tokenizer splits at any white space, so
 * texts that differ in it alone have one vector. An entry is the float32 values as they lie in memory, and a last
 * byte that says whether the text was cut; anything of another length is a miss.
 */
export interface EmbeddingCache {
  embed(
    tenant: string,
    text: string,
    mode: CacheMode | undefined,
    signal: AbortSignal,
  ): Promise<KeptEmbedding>;
}

export type KeptEmbedding = Pick<Embedding, 'vector' | 'truncated' | 'inferenceMs'> & {
  cache: 'hit' | 'miss' | 'bypass';
};

export function createEmbeddingCache(deps: {
  embedder: Embedder;
  cache: Cache;
  metrics: Pick<Metrics, 'add'>;
  ttlMs: number;
}): EmbeddingCache {
  const { embedder, cache, metrics, ttlMs } = deps;
  const count = (result: 'hit' | 'miss' | 'bypass') =>
    metrics.add('rag_cache_lookups_total', { cache: 'embedding', result });

  async function look(key: string, mode: CacheMode | undefined): Promise<KeptEmbedding | 'miss' | 'bypass'> {
    const found = mode === 'refresh' || ttlMs === 0 ? null : await cache.get([key]);
    if (found === null) {
      count('bypass');
      return 'bypass';
    }
    const kept = found[0] == null ? null : readEntry(found[0], embedder.model.dimension);
    count(kept === null ? 'miss' : 'hit');
    return kept ?? 'miss';
  }

  async function make(text: string, signal: AbortSignal, word: 'miss' | 'bypass'): Promise<KeptEmbedding> {
    const [embedding] = await embedder.embed([text], { priority: 'interactive', kind: 'query', signal });
    if (embedding === undefined) throw new Error('the embedder returned no vector for one text');
    return { ...embedding, cache: word };
  }

  return {
    async embed(tenant, text, mode, signal) {
      if (mode === 'bypass') {
        count('bypass');
        return make(text, signal, 'bypass');
      }
      signal.throwIfAborted();
      const key = cacheKeys.entry(
        'embedding',
        keyDigest(tenant, embedder.model.fingerprint, normalizedText(text)),
      );
      const looked = await look(key, mode);
      if (typeof looked !== 'string') return looked;
      const made = await make(text, signal, looked);
      cache.put(key, entryOf(made), ttlMs);
      return made;
    },
  };
}

function entryOf({ vector, truncated }: KeptEmbedding): Buffer {
  const { buffer, byteOffset, byteLength } = vector;
  return Buffer.concat([Buffer.from(buffer, byteOffset, byteLength), Buffer.of(truncated ? 1 : 0)]);
}

function readEntry(bytes: Buffer, dimension: number): KeptEmbedding | null {
  const end = dimension * Float32Array.BYTES_PER_ELEMENT;
  if (bytes.byteLength !== end + 1) return null;
  // Copied: a reply's bytes need not lie at a multiple of four.
  const vector = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + end));
  return { vector, truncated: bytes[end] === 1, cache: 'hit' };
}
