import { partsOf, type StagePart } from '../measure/stage-table.ts';
import { type Outcome, type Sample, timesOf } from '../sample-schema.ts';
import { judgedStepOf } from '../search/judged-step.ts';
import type { Summary } from '../summary-schema.ts';

/** One query as the plots want it. */
export interface Query {
  /** When it was due, seconds since the run began. */
  dueS: number;
  outcome: Outcome;
  /** In the figures. */
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
  /** Times whose queries are in no figure. */
  warmups: { fromS: number; toS: number }[];
}

export function runData(summary: Summary, samples: readonly Sample[]): RunData {
  const judged = judgedStepOf(summary);
  const queries = samples
    .filter(({ kind }) => kind === 'query')
    .map((sample): Query => {
      const times = timesOf(sample);
      const latency = summary.latency.headline === 'response' ? times?.responseMs : times?.serviceMs;
      return {
        dueS: sample.planned_ms / 1000,
        outcome: sample.outcome,
        isMeasured: sample.phase === 'measured' && (judged === null || sample.step === judged),
        latencyMs: latency ?? null,
        responseMs: times?.responseMs ?? null,
        serviceMs: times?.serviceMs ?? null,
        isHit: sample.cache === 'hit' || sample.cache === 'shared',
      };
    })
    .sort((a, b) => a.dueS - b.dueS);
  const lastDue = queries.at(-1)?.dueS ?? 0;
  return {
    summary,
    queries,
    endS: Math.max(1, Math.ceil(lastDue), summary.timeline.at(-1)?.second ?? 0),
    warmups: warmupsOf(samples, summary.config.mode),
  };
}

/** One at the beginning; each probe of a search has its own. */
function warmupsOf(samples: readonly Sample[], mode: Summary['config']['mode']): RunData['warmups'] {
  const spans = new Map<number | null, { fromS: number; toS: number }>();
  for (const { phase, planned_ms, step } of samples) {
    if (phase !== 'warmup') continue;
    const atS = planned_ms / 1000;
    const key = mode === 'search' ? step : null;
    const span = spans.get(key) ?? { fromS: mode === 'search' ? atS : 0, toS: atS };
    spans.set(key, { fromS: Math.min(span.fromS, atS), toS: Math.max(span.toS, atS) });
  }
  const round = (toS: number) => (mode === 'search' ? toS : Math.ceil(toS));
  return [...spans.values()].map(({ fromS, toS }) => ({ fromS, toS: round(toS) }));
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
