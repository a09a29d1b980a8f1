import { encodeVector, type Outcome } from '@vortex/contracts';
import type { Metrics } from '@vortex/observability';
import type { StageHandler } from '@vortex/runtime';
import type { EmbeddingCache } from './embedding-cache.ts';

/**
 * Encode. In: a question in words. Out: the question with its vector and the fingerprint of the model that
 * made it, to retrieval. A question that is to be looked up by its words alone (`mode: sparse`) goes on without a
 * vector, and no model is asked. A question longer than the model takes is cut and says so (`query_truncated`).
 * Nothing is refused: what the model cannot embed is thrown and tried again within the deadline.
 */
export interface EncodeDeps {
  embeddings: EmbeddingCache;
  /** Fingerprint of its vectors. */
  model: string;
  metrics: Metrics;
}

export function createEncodeStage({ embeddings, model, metrics }: EncodeDeps): StageHandler<'encode'> {
  return async function encode(input, { job, signal, timing }): Promise<Outcome<'encode'>> {
    const { query, collection, by_name_only, top_k, mode, filter } = input;
    const { neighbours, want, stream, cache, max_tokens } = input;
    const place = { collection, by_name_only };
    const question = { query, ...place, top_k, mode, filter, neighbours, want, stream, cache, max_tokens };
    if (mode === 'sparse') return { kind: 'forward', to: 'retrieve', payload: question };
    const made = await embeddings.embed(job.tenant, query, cache, signal);
    const { vector, truncated, cache: word, inferenceMs } = made;
    if (inferenceMs !== undefined) timing('inference', inferenceMs);
    if (word !== 'hit')
      metrics.add('rag_embedding_texts_total', {
        priority: 'interactive',
        result: truncated ? 'truncated' : 'whole',
      });
    return {
      kind: 'forward',
      to: 'retrieve',
      payload: {
        ...question,
        embedding: encodeVector(vector),
        embedding_model: model,
        embedding_cache: word,
        degraded: truncated ? ['query_truncated'] : [],
      },
    };
  };
}
