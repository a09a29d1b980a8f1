import type { Answer, Hits, Source } from '@vortex/contracts';
import type { StoreHit } from '@vortex/vector-store';
import type { Passage } from './prompt.ts';

/** Hits in the three forms that leave this stage: ranked hits, a refusal, passages for the prompt. */

const refusalText = 'I found nothing in this collection that answers the question.';

export function hitsResult(hits: readonly StoreHit[], collection: string, degraded: string[]): Hits {
  return { hits: hits.map(toHit), collection, degraded };
}

/** No model was called. What was found stays visible as sources, so that a reader can judge the floor. */
export function refusalResult(
  hits: readonly StoreHit[],
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

export function toPassage(hit: StoreHit): Passage {
  return { source: toSource(hit), context: hit.chunk.context, tokens: hit.chunk.tokens };
}

function toSource({ chunk, score }: StoreHit): Omit<Source, 'rank' | 'used_in_prompt'> {
  const { chunk_id, document_id, title, heading_path, page, source_span, text } = chunk;
  return { chunk_id, document_id, title, heading_path, page, source_span, excerpt: text, score };
}

function toHit({ chunk, score }: StoreHit): Hits['hits'][number] {
  const { document_id, title, chunk_id, text, heading_path, page, source_span } = chunk;
  return { document_id, title, chunk_id, text, score, heading_path, page, source_span };
}
