import {
  type CacheMode,
  decodeVector,
  defaultCollection,
  type Hits,
  type InputOf,
  type Outcome,
  type SearchMode,
} from '@vortex/contracts';
import type { Metrics } from '@vortex/observability';
import { type Collection, collectionVersion, type Registry } from '@vortex/registry';
import type { StageHandler } from '@vortex/runtime';
import { DimensionMismatch, UnknownCollection, type VectorStore } from '@vortex/vector-store';
import { explainRetrieval } from './explain-retrieval.ts';
import { findNeighbours } from './find-neighbours.ts';
import { isFoundByWords } from './found-by-words.ts';
import { buildPrompt } from './prompt.ts';
import type { Looked, RetrievalCache } from './retrieval-cache.ts';
import { hitsResult, refusalResult, toPassage } from './retrieval-results.ts';
import type { FoundHit, Question } from './visible-search.ts';

/**
 * In: a question with its vector (without one in mode `sparse`). Out: the augmented prompt for a generator, or the
 * end of the road: ranked hits when no answer was asked for, an honest refusal when nothing is relevant. In every
 * mode but `sparse` that is decided by the best cosine there is, whatever order the hits are in: only a cosine
 * means the same for each question. In `hybrid` a hit that has all the words of the question is relevant as well
 * (found-by-words.ts). BM25 has no scale of its own, so `sparse` refuses only when nothing was found.
 * Refused as a job: an unknown collection, a vector of another model, a vector that is none or is missing. A store
 * that does not answer throws and is retried.
 */
export interface RetrieveDeps {
  registry: Pick<Registry, 'resolveCollection' | 'getDocument'>;
  store: Pick<VectorStore, 'fetch'>;
  retrieval: RetrievalCache;
  metrics: Metrics;
  settings: { topK: number; relevanceFloor: number; promptTokens: number; mode: SearchMode };
  /** Names the settings and the prompt template, for whoever keeps what this stage finds. */
  fingerprint: string;
}

export function createRetrieveStage({
  registry,
  store,
  retrieval,
  metrics,
  settings,
  fingerprint,
}: RetrieveDeps): StageHandler<'retrieve'> {
  return async function retrieve(input, { job, explain }): Promise<Outcome<'retrieve'>> {
    const name = input.collection ?? defaultCollection;
    const collection = await registry.resolveCollection(job.tenant, name, {
      byNameOnly: input.by_name_only === true,
    });
    if (collection === null) {
      return reject(
        'collection_not_found',
        `There is no collection ${name}; ingest a document into it first.`,
      );
    }
    if (
      collection.embeddingModel !== null &&
      input.embedding_model !== undefined &&
      collection.embeddingModel !== input.embedding_model
    ) {
      return reject(
        'embedding_mismatch',
        `Collection ${collection.name} holds vectors of ${collection.embeddingModel}, the question was encoded by ${input.embedding_model}. Set embedding.model back, or ingest again into a new collection.`,
      );
    }
    const mode = input.mode ?? settings.mode;
    const search = searchOf(input, mode);
    if (search === null) {
      return reject(
        'invalid_envelope',
        `mode ${mode} compares vectors, and this question has none that can be read`,
      );
    }
    const question: Question = {
      search,
      limit: input.top_k ?? settings.topK,
      filter: input.filter,
      cosines: input.want === 'answer',
    };
    const found = await find(collection, question, input.cache);
    if ('kind' in found) return found;

    const { hits, bestCosine: best } = found;
    const { degraded } = input;
    countCandidates(metrics, hits);
    if (best !== null) metrics.observe('rag_retrieval_top_score', { index: mode }, Math.max(0, best));
    const told = { input, collection: collection.name, mode, found, topK: question.limit };
    const { promptTokens } = settings;
    if (input.want === 'hits') {
      explain(() => explainRetrieval({ ...told, relevance: null, outcome: 'hits', promptTokens }));
      const about = { collection: collection.name, mode, degraded };
      return { kind: 'done', result: await shownHits(collection, hits, about, input.neighbours ?? 0) };
    }
    // The search has seen this state of the collection or a later one.
    const madeFrom = { collection_version: collectionVersion(collection), retrieval: fingerprint };
    const floor = collection.relevanceFloor ?? settings.relevanceFloor;
    const isBelow = best !== null && best < floor;
    const foundByWords = isBelow && mode === 'hybrid' && isFoundByWords(input.query, hits);
    const tooFar = isBelow && !foundByWords;
    const relevance = { floor, best, found_by_words: foundByWords };
    if (hits.length === 0 || tooFar) {
      metrics.add('rag_retrieval_empty_total', { index: mode });
      explain(() => explainRetrieval({ ...told, relevance, outcome: 'refused', promptTokens }));
      const result = refusalResult(hits, { floor, best }, collection.name, degraded);
      return { kind: 'done', result: { ...result, made_from: { ...madeFrom, generation: null } } };
    }
    const prompt = buildPrompt(input.query, hits.map(toPassage), promptTokens);
    explain(() => explainRetrieval({ ...told, relevance, outcome: 'prompt', prompt, promptTokens }));
    metrics.observe('rag_context_tokens', {}, prompt.usedTokens);
    const { messages, sources } = prompt;
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
        made_from: madeFrom,
      },
    };
  };

  async function find(
    collection: Collection,
    question: Question,
    cache: CacheMode | undefined,
  ): Promise<Looked | Rejection> {
    try {
      return await retrieval.search(collection, question, cache);
    } catch (error) {
      // Nothing was ever stored: an empty collection is a refusal, not a fault.
      if (error instanceof UnknownCollection) return { hits: [], bestCosine: null, cache: 'bypass' };
      if (error instanceof DimensionMismatch) return reject('embedding_mismatch', error.message);
      throw error;
    }
  }

  async function shownHits(
    { tenant, name }: Collection,
    hits: readonly FoundHit[],
    about: { collection: string; mode: SearchMode; degraded: string[] },
    reach: number,
  ): Promise<Hits> {
    const documentIds = [...new Set(hits.map(({ chunk }) => chunk.document_id))];
    const documents = new Map(
      await Promise.all(
        documentIds.map(async (id) => [id, (await registry.getDocument(tenant, id))?.metadata] as const),
      ),
    );
    const chunks = hits.map(({ chunk }) => chunk);
    const around =
      // Of no hits there are none, and the store may not know a collection that nothing was ever put into.
      reach === 0 || chunks.length === 0
        ? null
        : await findNeighbours(store, { tenant, collection: name }, chunks, reach);
    return hitsResult(hits, about, {
      metadataOf: ({ chunk }) => documents.get(chunk.document_id) ?? {},
      neighboursOf: ({ chunk }) => around?.get(chunk.id),
    });
  }
}

/** Hits of the cache are counted like those of a search: it is the question that is measured. */
function countCandidates(metrics: Metrics, hits: readonly FoundHit[]): void {
  const found = {
    dense: hits.filter(({ dense }) => dense !== null).length,
    sparse: hits.filter(({ sparse }) => sparse !== null).length,
    fused: hits.length,
  };
  metrics.observe('rag_retrieval_candidates', { index: 'dense' }, found.dense);
  metrics.observe('rag_retrieval_candidates', { index: 'sparse' }, found.sparse);
  metrics.observe('rag_retrieval_candidates', { index: 'fused' }, found.fused);
}

type Rejection = Extract<Outcome<'retrieve'>, { kind: 'reject' }>;

function reject(code: Rejection['code'], reason: string): Rejection {
  return { kind: 'reject', code, reason };
}

/** Null when the mode needs a vector and there is none, or bytes that are none. */
function searchOf(input: InputOf<'retrieve'>, mode: SearchMode): Question['search'] | null {
  if (mode === 'sparse') return { mode, text: input.query };
  if (input.embedding === undefined) return null;
  try {
    return { mode, text: input.query, vector: decodeVector(input.embedding) };
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}
