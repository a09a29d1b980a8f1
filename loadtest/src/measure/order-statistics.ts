/**
 * Which order statistics enclose a quantile with 95 % confidence, whatever the distribution is: the number of samples
 * below the true quantile is binomial, so ranks are found from the binomial alone. Ranks count from 1.
 */
export interface RankInterval {
  /** Null: even the smallest sample may lie above. */
  low: number | null;
  /** Null: even the largest sample may lie below; the quantile is not resolved. */
  high: number | null;
}

const tail = 0.025;

export function rankInterval(count: number, probability: number): RankInterval {
  if (count === 0) return { low: null, high: null };
  const { from, weights } = binomial(count, probability);
  let below = 0;
  let low: number | null = null;
  let high: number | null = null;
  for (const [index, weight] of weights.entries()) {
    const k = from + index;
    below += weight;
    // P(X ≤ k) = below. Rank k+1 is a lower end as long as that is at most the tail, an upper end once it is past 1 − tail.
    if (below <= tail && k + 1 <= count) low = k + 1;
    if (high === null && below >= 1 - tail && k + 1 <= count) high = k + 1;
  }
  // Where the binomial has (numerically) no mass, every rank up to there is a lower end.
  if (low === null && from > 0) low = from;
  return { low, high };
}

/** The rank that is the sample quantile: the smallest value that at least this share does not exceed. */
export function quantileRank(count: number, probability: number): number {
  return Math.min(count, Math.max(1, Math.ceil(count * probability - 1e-9)));
}

/** The masses around the mode that matter; each is found from its neighbour, so no factorial is ever formed. */
function binomial(count: number, probability: number): { from: number; weights: number[] } {
  const odds = probability / (1 - probability);
  const mode = Math.min(count, Math.floor((count + 1) * probability));
  const up: number[] = [];
  for (let k = mode, weight = 1; k < count && weight > 1e-18; k++) {
    weight *= ((count - k) / (k + 1)) * odds;
    up.push(weight);
  }
  const down: number[] = [];
  for (let k = mode, weight = 1; k > 0 && weight > 1e-18; k--) {
    weight *= k / (count - k + 1) / odds;
    down.push(weight);
  }
  const weights = [...down.reverse(), 1, ...up];
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return { from: mode - down.length, weights: weights.map((weight) => weight / total) };
}
