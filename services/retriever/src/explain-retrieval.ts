import {
  type ExplainedCandidate,
  type ExplainedRetrieval,
  maxExplained,
  type Source,
} from '@vortex/contracts';
import { type AugmentedPrompt, tokensInPrompt } from './prompt.ts';
import type { Looked } from './retrieval-cache.ts';
import type { FoundHit } from './visible-search.ts';

/** A retrieval's part of its query's story: what was ranked where, and what became of each candidate. */
export function explainRetrieval(of: {
  input: { embedding_cache?: 'hit' | 'miss' | 'bypass' | undefined; degraded: string[] };
  collection: string;
  mode: ExplainedRetrieval['mode'];
  topK: number;
  found: Looked;
  relevance: ExplainedRetrieval['relevance'];
  outcome: ExplainedRetrieval['outcome'];
  prompt?: AugmentedPrompt;
  promptTokens: number;
}): ExplainedRetrieval {
  const { input, found, prompt } = of;
  const { behind = [], hits } = found;
  const used = prompt?.sources.filter((source) => source.used_in_prompt) ?? [];
  const usedIds = new Set(used.map(({ chunk_id }: Source) => chunk_id));
  const dropped = ({ chunk }: FoundHit): ExplainedCandidate['dropped'] => {
    if (of.outcome === 'refused') return 'below_floor';
    return prompt === undefined || usedIds.has(chunk.chunk_id) ? null : 'over_budget';
  };
  const candidates: ExplainedCandidate[] = [
    ...hits.map((hit, index) => ({
      rank: index + 1,
      document_id: hit.chunk.document_id,
      chunk_id: hit.chunk.chunk_id,
      title: hit.chunk.title.slice(0, 80),
      ...placesOf(hit),
      cosine: shortened(hit.cosine),
      tokens: tokensInPrompt(hit.chunk),
      dropped: dropped(hit),
    })),
    ...behind.map((candidate, index) => ({
      rank: hits.length + index + 1,
      document_id: candidate.document_id,
      ...{ chunk_id: null, title: null, tokens: null },
      ...placesOf(candidate),
      cosine: shortened(candidate.dense?.score ?? null),
      dropped: 'top_k' as const,
    })),
  ];
  return {
    ...{ collection: of.collection, mode: of.mode, top_k: of.topK },
    ...{ relevance: of.relevance, outcome: of.outcome },
    cache: { embedding: input.embedding_cache ?? null, retrieval: found.cache },
    ranked: found.ranked ?? { dense: null, sparse: null },
    candidates: candidates.slice(0, maxExplained.candidates),
    prompt:
      prompt === undefined
        ? null
        : {
            passage_tokens: { allowed: of.promptTokens, used: prompt.usedTokens },
            passages: used.length,
          },
    degraded: input.degraded,
  };
}

function placesOf({ dense, sparse, fused }: Pick<FoundHit, 'dense' | 'sparse' | 'fused'>) {
  const place = (one: FoundHit['dense']) => (one === null ? null : { ...one, score: shortened(one.score) });
  return { dense: place(dense), sparse: place(sparse), fused: shortened(fused) };
}

/** Sixteen digits say no more to a reader than five, and are a third of a story's bytes. */
function shortened(score: number): number;
function shortened(score: number | null): number | null;
function shortened(score: number | null): number | null {
  return score === null ? null : Math.round(score * 1e5) / 1e5;
}
