import type { Answer, Hit, Hits, SearchMode, Source } from '@vortex/contracts';
import type { Neighbours } from './find-neighbours.ts';
import type { Passage } from './prompt.ts';
import type { FoundHit } from './visible-search.ts';

/** Hits in the three forms that leave this stage: ranked hits, a refusal, passages for the prompt. */

const refusalText = 'I found nothing in this collection that answers the question.';

export function hitsResult(
  hits: readonly FoundHit[],
  about: { collection: string; mode: SearchMode; degraded: string[] },
  more: {
    metadataOf(hit: FoundHit): Record<string, unknown>;
    neighboursOf(hit: FoundHit): Neighbours | undefined;
  },
): Hits {
  const { collection, mode, degraded } = about;
  return {
    hits: hits.map((hit) => toHit(hit, more.metadataOf(hit), more.neighboursOf(hit))),
    ...{ collection, mode, degraded },
  };
}

/** No model was called. What was found stays visible as sources, so that a reader can judge the floor. */
export function refusalResult(
  hits: readonly FoundHit[],
  { floor, best }: { floor: number; best: number | null },
  collection: string,
  degraded: string[],
): Answer {
  return {
    answered: false,
    answer: refusalText,
    refusal: { reason: 'no_relevant_context', floor, best },
    citations: [],
    sources: hits.map((hit, index) => ({ ...toSource(hit), rank: index + 1, used_in_prompt: false })),
    worker: null,
    replica: null,
    model: null,
    collection,
    degraded,
    usage: { prompt_tokens: null, completion_tokens: null },
  };
}

export function toPassage(hit: FoundHit): Passage {
  return { source: toSource(hit), context: hit.chunk.context, tokens: hit.chunk.tokens };
}

/** The score of a source is its cosine, which the floor is measured in; without a vector there is only BM25's. */
function toSource({ chunk, cosine, score }: FoundHit): Omit<Source, 'rank' | 'used_in_prompt'> {
  const { chunk_id, document_id, title, heading_path, page, source_span, text } = chunk;
  return {
    ...{ chunk_id, document_id, title, heading_path, page, source_span, excerpt: text },
    score: cosine ?? score,
  };
}

function toHit(
  { chunk, score, dense, sparse, fused }: FoundHit,
  metadata: Record<string, unknown>,
  neighbours: Neighbours | undefined,
): Hit {
  const { document_id, version, title, chunk_id, text, heading_path, context, page, source_span } = chunk;
  return {
    ...{ document_id, version, title, chunk_id, text, score, scores: { dense, sparse, fused } },
    ...{ heading_path, context, page, source_span, metadata },
    ...(neighbours !== undefined && { neighbours }),
  };
}
