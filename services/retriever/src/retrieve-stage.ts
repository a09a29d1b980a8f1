import { decodeVector, defaultCollection, failures, type InputOf, type Outcome } from '@vortex/contracts';
import type { Metrics } from '@vortex/observability';
import type { Registry } from '@vortex/registry';
import type { StageHandler } from '@vortex/runtime';
import { DimensionMismatch, type StoreHit, UnknownCollection } from '@vortex/vector-store';
import { buildPrompt } from './prompt.ts';
import { hitsResult, refusalResult, toPassage } from './retrieval-results.ts';
import type { VisibleSearch } from './visible-search.ts';

/**
 * In: a question with its vector. Out: the augmented prompt for a generator, or the end of the road:
 * ranked hits when no answer was asked for, an honest refusal when the best hit is below the
 * collection's relevance floor. Refused: an unknown collection, a vector of another model, a vector
 * that is none. A store that does not answer throws and is retried.
 */
export interface RetrieveDeps {
  registry: Pick<Registry, 'resolveCollection'>;
  visibleSearch: Pick<VisibleSearch, 'search'>;
  metrics: Metrics;
  settings: { topK: number; relevanceFloor: number; promptTokens: number };
}

export function createRetrieveStage({
  registry,
  visibleSearch,
  metrics,
  settings,
}: RetrieveDeps): StageHandler<'retrieve'> {
  return async function retrieve(input, { job }): Promise<Outcome<'retrieve'>> {
    const name = input.collection ?? defaultCollection;
    const collection = await registry.resolveCollection(job.tenant, name);
    if (collection === null) {
      return {
        kind: 'reject',
        code: 'collection_not_found',
        reason: `There is no collection ${name}; ingest a document into it first.`,
      };
    }
    if (
      collection.embeddingModel !== null &&
      input.embedding_model !== undefined &&
      collection.embeddingModel !== input.embedding_model
    ) {
      return {
        kind: 'reject',
        code: 'embedding_mismatch',
        reason: `Collection ${collection.name} holds vectors of ${collection.embeddingModel}, the question was encoded by ${input.embedding_model}. Set embedding.model back, or ingest again into a new collection.`,
      };
    }
    const found = await findHits(input, (vector) =>
      visibleSearch.search(collection, vector, input.top_k ?? settings.topK),
    );
    if ('reason' in found) return found;

    const best = found.hits[0]?.score ?? null;
    const floor = collection.relevanceFloor ?? settings.relevanceFloor;
    if (best !== null) metrics.observe('rag_retrieval_top_score', { index: 'dense' }, Math.max(0, best));
    const { degraded } = input;
    if (input.want === 'hits') {
      return { kind: 'done', result: hitsResult(found.hits, collection.name, degraded) };
    }
    if (best === null || best < floor) {
      metrics.add('rag_retrieval_empty_total', { index: 'dense' });
      const result = refusalResult(found.hits, { floor, best }, collection.name, degraded);
      return { kind: 'done', result };
    }
    const { messages, sources } = buildPrompt(input.query, found.hits.map(toPassage), settings.promptTokens);
    const { query, want, stream, top_k, max_tokens } = input;
    return {
      kind: 'forward',
      to: 'generate',
      payload: {
        query,
        want,
        stream,
        ...(top_k !== undefined && { top_k }),
        ...(max_tokens !== undefined && { max_tokens }),
        collection: collection.name,
        messages,
        sources,
        degraded,
      },
    };
  };
}

async function findHits(
  input: InputOf<'retrieve'>,
  search: (vector: Float32Array) => Promise<StoreHit[]>,
): Promise<{ hits: StoreHit[] } | Extract<Outcome<'retrieve'>, { kind: 'reject' }>> {
  try {
    return { hits: await search(decodeVector(input.embedding)) };
  } catch (error) {
    // Nothing was ever stored: an empty collection is a refusal, not a fault.
    if (error instanceof UnknownCollection) return { hits: [] };
    if (error instanceof DimensionMismatch)
      return { kind: 'reject', code: 'embedding_mismatch', reason: error.message };
    if (error instanceof RangeError) {
      return {
        kind: 'reject',
        code: 'invalid_envelope',
        reason: `${failures.invalid_envelope.title}: ${error.message}`,
      };
    }
    throw error;
  }
}
