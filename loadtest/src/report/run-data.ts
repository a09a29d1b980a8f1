import { partsOf, type StagePart } from '../measure/stage-table.ts';
import { type Outcome, type Sample, timesOf } from '../sample-schema.ts';
import type { Summary } from '../summary-schema.ts';

/** One query as the plots want it. */
export interface Query {
  /** When it was due, seconds since the run began. */
  dueS: number;
  outcome: Outcome;
  isMeasured: boolean;
  /** By the headline's clock; null for what never ended. */
  latencyMs: number | null;
  responseMs: number | null;
  serviceMs: number | null;
  isHit: boolean;
}

/** What the plots draw: the summary, and the queries in the order they were due. */
export interface RunData {
  summary: Summary;
  queries: Query[];
  /** Length of the time axis, at least a second. */
  endS: number;
  warmupS: number;
}

export function runData(summary: Summary, samples: readonly Sample[]): RunData {
  const queries = samples
    .filter(({ kind }) => kind === 'query')
    .map((sample): Query => {
      const times = timesOf(sample);
      const latency = summary.latency.headline === 'response' ? times?.responseMs : times?.serviceMs;
      return {
        dueS: sample.planned_ms / 1000,
        outcome: sample.outcome,
        isMeasured: sample.phase === 'measured',
        latencyMs: latency ?? null,
        responseMs: times?.responseMs ?? null,
        serviceMs: times?.serviceMs ?? null,
        isHit: sample.cache === 'hit' || sample.cache === 'shared',
      };
    })
    .sort((a, b) => a.dueS - b.dueS);
  const warmupS = samples.reduce(
    (end, { phase, planned_ms }) => (phase === 'warmup' ? Math.max(end, planned_ms / 1000) : end),
    0,
  );
  const lastDue = queries.at(-1)?.dueS ?? 0;
  return {
    summary,
    queries,
    endS: Math.max(1, Math.ceil(lastDue), summary.timeline.at(-1)?.second ?? 0),
    warmupS: Math.ceil(warmupS),
  };
}

/** Sorted durations of what ended well in the measured part. */
export function measured(
  queries: readonly Query[],
  clock: 'latencyMs' | 'responseMs' | 'serviceMs',
  wanted: (query: Query) => boolean = () => true,
): number[] {
  return queries
    .filter((query) => query.isMeasured && query.outcome === 'ok' && wanted(query))
    .flatMap((query) => query[clock] ?? [])
    .sort((a, b) => a - b);
}

/** A slow answer as a row of segments that follow one another. */
export interface Waterfall {
  sample: Sample;
  totalMs: number;
  /** Null: the target gave no account. */
  parts: StagePart[] | null;
  /** Due, not yet sent: the load tester's own delay. */
  lagMs: number;
}

export function waterfalls({ slowest }: Summary): Waterfall[] {
  return slowest.flatMap((sample) => {
    const times = timesOf(sample);
    if (times === null) return [];
    return [{ sample, totalMs: times.responseMs, parts: partsOf(sample), lagMs: times.lagMs }];
  });
}
