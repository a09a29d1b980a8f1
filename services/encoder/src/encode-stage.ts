import { encodeVector, type Outcome } from '@vortex/contracts';
import type { Embedder } from '@vortex/embedding';
import type { Metrics } from '@vortex/observability';
import type { StageHandler } from '@vortex/runtime';

/**
 * Encode. In: a question in words. Out: the question with its vector and the fingerprint of the model that
 * made it, to retrieval. A question that is to be looked up by its words alone (`mode: sparse`) goes on without a
 * vector, and no model is asked. A question longer than the model takes is cut and says so (`query_truncated`).
 * Nothing is refused: what the model cannot embed is thrown and tried again within the deadline.
 */
export interface EncodeDeps {
  embedder: Embedder;
  metrics: Metrics;
}

export function createEncodeStage({ embedder, metrics }: EncodeDeps): StageHandler<'encode'> {
  return async function encode(input, { signal }): Promise<Outcome<'encode'>> {
    const { query, collection, top_k, mode, filter, neighbours, want, stream, cache, max_tokens } = input;
    const question = { query, collection, top_k, mode, filter, neighbours, want, stream, cache, max_tokens };
    if (mode === 'sparse') return { kind: 'forward', to: 'retrieve', payload: question };
    const [embedding] = await embedder.embed([query], { priority: 'interactive', kind: 'query', signal });
    if (embedding === undefined) throw new Error('the embedder returned no vector for one text');
    const { vector, truncated } = embedding;
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
        embedding_model: embedder.model.fingerprint,
        degraded: truncated ? ['query_truncated'] : [],
      },
    };
  };
}
