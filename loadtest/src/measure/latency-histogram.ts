import { createHistogram } from 'node:perf_hooks';
import type { Latency, Quantile } from '../figures-schema.ts';
import { quantileRank, rankInterval } from './order-statistics.ts';

/** Durations of one kind: an HDR histogram with three digits from 1 µs to an hour, and the exact ends and mean. */
export interface LatencyHistogram {
  readonly count: number;
  record(ms: number): void;
  /** Takes the other's samples in. */
  add(other: LatencyHistogram): void;
  /** Null of nothing. */
  quantileMs(probability: number): number | null;
  summary(): Latency;
  /** For `add`. */
  readonly inner: ReturnType<typeof createHistogram>;
  readonly ends: { minMs: number; maxMs: number; sumMs: number };
}

const longestUs = 3_600_000_000;

export function createLatencyHistogram(durationsMs: Iterable<number> = []): LatencyHistogram {
  const inner = createHistogram({ lowest: 1, highest: longestUs, figures: 3 });
  const ends = { minMs: Number.POSITIVE_INFINITY, maxMs: Number.NEGATIVE_INFINITY, sumMs: 0 };

  function record(ms: number): void {
    inner.record(Math.min(longestUs, Math.max(1, Math.round(ms * 1000))));
    ends.minMs = Math.min(ends.minMs, ms);
    ends.maxMs = Math.max(ends.maxMs, ms);
    ends.sumMs += ms;
  }

  /** The sample of this rank. Half a rank less: a percentile that fell a hair over it would name the next one. */
  function atRank(rank: number): number {
    if (rank >= inner.count) return round(ends.maxMs);
    if (rank <= 1) return round(ends.minMs);
    const ms = inner.percentile(((rank - 0.5) / inner.count) * 100) / 1000;
    return round(Math.min(ends.maxMs, Math.max(ends.minMs, ms)));
  }

  function quantileMs(probability: number): number | null {
    return inner.count === 0 ? null : atRank(quantileRank(inner.count, probability));
  }

  function quantile(probability: number): Quantile {
    const { low, high } = rankInterval(inner.count, probability);
    return {
      value_ms: quantileMs(probability),
      low_ms: low === null ? null : atRank(low),
      high_ms: high === null ? null : atRank(high),
      resolved: low !== null && high !== null,
    };
  }

  for (const ms of durationsMs) record(ms);
  return {
    inner,
    ends,
    get count() {
      return inner.count;
    },
    record,
    add(other) {
      inner.add(other.inner);
      ends.minMs = Math.min(ends.minMs, other.ends.minMs);
      ends.maxMs = Math.max(ends.maxMs, other.ends.maxMs);
      ends.sumMs += other.ends.sumMs;
    },
    quantileMs,
    summary() {
      const { count } = inner;
      const isEmpty = count === 0;
      return {
        count,
        min_ms: isEmpty ? null : round(ends.minMs),
        mean_ms: isEmpty ? null : round(ends.sumMs / count),
        max_ms: isEmpty ? null : round(ends.maxMs),
        p50: quantile(0.5),
        p95: quantile(0.95),
        p99: quantile(0.99),
        p999: quantile(0.999),
      };
    },
  };
}

function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
