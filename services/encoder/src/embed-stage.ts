import { encodeVector, type Outcome } from '@vortex/contracts';
import type { Embedder } from '@vortex/embedding';
import type { Metrics } from '@vortex/observability';
import type { StageHandler } from '@vortex/runtime';

export interface EmbedDeps {
  embedder: Embedder;
  metrics: Metrics;
}

/**
 * Embed, the low lane. In: a few chunks of one document version. Out: the same chunks with their vectors,
 * to the store. A chunk is embedded with its context (headings, a table's header row) in front, because a
 * passage is often found by words that stand only above it. What does not fit into the model is cut at the
 * end and counted in `truncated`; the stored text stays whole.
 */
export function createEmbedStage({ embedder, metrics }: EmbedDeps): StageHandler<'embed'> {
  return async function embed(input, { signal, job }): Promise<Outcome<'embed'>> {
    const { collection, document_id, version, title, chunks } = input;
    const texts = chunks.map(({ context, text }) => (context === '' ? text : `${context}\n${text}`));
    const embeddings = await embedder.embed(texts, {
      ...{ priority: 'low', kind: 'passage', signal },
      tenant: job.tenant,
    });
    const truncated = embeddings.filter((embedding) => embedding.truncated).length;
    metrics.add('rag_embedding_texts_total', { priority: 'low', result: 'truncated' }, truncated);
    metrics.add('rag_embedding_texts_total', { priority: 'low', result: 'whole' }, texts.length - truncated);
    return {
      kind: 'forward',
      to: 'store',
      payload: {
        ...{ collection, document_id, version, title, truncated },
        embedding_model: embedder.model.fingerprint,
        chunks: chunks.map((chunk, index) => {
          const embedding = embeddings[index];
          if (embedding === undefined) throw new Error(`the embedder returned no vector for chunk ${index}`);
          return { ...chunk, embedding: encodeVector(embedding.vector) };
        }),
      },
    };
  };
}
