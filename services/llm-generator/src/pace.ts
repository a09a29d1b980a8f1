import { medianOf } from '@vortex/runtime';

/**
 * How fast this replica's model answers, as seen lately: the medians of the last twenty answers' time to the
 * first token and time per token after it. Null before five answers: a guess would cut answers for nothing.
 */
export interface Pace {
  note(answer: { firstTokenMs: number; totalMs: number; tokens: number }): void;
  /** How many tokens can be made in so much time; null when it is not known. */
  tokensWithin(ms: number): number | null;
}

const kept = 20;
const fewest = 5;

export function createPace(): Pace {
  const firsts: number[] = [];
  const perTokens: number[] = [];
  let next = 0;
  return {
    note({ firstTokenMs, totalMs, tokens }) {
      // Of one token, everything was waiting for the first.
      if (tokens < 2) return;
      firsts[next] = firstTokenMs;
      perTokens[next] = Math.max(0, totalMs - firstTokenMs) / (tokens - 1);
      next = (next + 1) % kept;
    },
    tokensWithin(ms) {
      if (firsts.length < fewest) return null;
      const left = ms - medianOf(firsts);
      const perToken = medianOf(perTokens);
      if (left <= 0) return 1;
      // Answers that come in one piece have no pace.
      return perToken === 0 ? Number.MAX_SAFE_INTEGER : 1 + Math.floor(left / perToken);
    },
  };
}
