import { z } from 'zod';
import { outcome } from './sample-schema.ts';

// The figures that summary.json is made of, each by itself; the document is in summary-schema.ts. Durations are
// milliseconds, rates per second, shares 0 to 1.

/**
 * A quantile with its 95 % interval by order statistics. The value is the sample quantile also when it is not resolved;
 * then there are too few samples for an upper bound (P95 needs 72, P99 368, P99.9 3688) and it must not be quoted alone.
 */
export const quantile = z.object({
  value_ms: z.number().nullable(),
  low_ms: z.number().nullable(),
  high_ms: z.number().nullable(),
  resolved: z.boolean(),
});
export type Quantile = z.infer<typeof quantile>;

/** Null figures: no sample at all. */
export const latency = z.object({
  count: z.int().min(0),
  min_ms: z.number().nullable(),
  mean_ms: z.number().nullable(),
  max_ms: z.number().nullable(),
  p50: quantile,
  p95: quantile,
  p99: quantile,
  p999: quantile,
});
export type Latency = z.infer<typeof latency>;

export const sloCheck = z.object({
  /** As written: `p99<3s`. */
  text: z.string(),
  /** `p99`, `err`, `ttft_p99`, … */
  name: z.string(),
  limit: z.number(),
  measured: z.number().nullable(),
  /** Upper end of the 95 % interval; null where there is none. */
  high: z.number().nullable(),
  unit: z.enum(['ms', 'ratio', 'per_second']),
  met: z.boolean(),
});
export type SloCheck = z.infer<typeof sloCheck>;

/**
 * One part of the client's time. `queue`: waited on a list; `service`: worked on; `other`: the gateway's own parts and
 * `network + unaccounted`, the client's time less all that the target accounts for.
 */
const stageRow = z.object({
  stage: z.string(),
  kind: z.enum(['queue', 'service', 'other']),
  mean_ms: z.number(),
  p50_ms: z.number(),
  p99_ms: z.number(),
  /** Mean milliseconds and share of the client's time in the requests around the median (45th to 55th percentile). */
  at_median_ms: z.number(),
  share_at_median: z.number(),
  /** The same in the slowest requests: from the 99th percentile on, at least ten of them. */
  in_tail_ms: z.number(),
  share_in_tail: z.number(),
});
export type StageRow = z.infer<typeof stageRow>;

export const stageTable = z.object({
  /** Answers that came with `timings_ms`. */
  requests: z.int(),
  /** In the order of the pipeline; the residual row is the last. */
  rows: z.array(stageRow),
  /** Share of the client's time that the target accounts for. */
  explained_at_median: z.number(),
  explained_in_tail: z.number(),
  /** Client's time less its queue waits, per request. */
  without_queue_waits: latency,
});
export type StageTable = z.infer<typeof stageTable>;

/** One second of the run, warm-up included. */
export const timelinePoint = z.object({
  second: z.int().min(0),
  phase: z.enum(['warmup', 'measured']),
  /** Due in this second; in a closed loop the same as `sent`. */
  offered: z.int(),
  sent: z.int(),
  /** Ended well in this second. */
  ok: z.int(),
  /** Ended otherwise in this second, by class; classes without any are absent. */
  failed: z.partialRecord(outcome, z.int()),
  /** At the end of the second. */
  in_flight: z.int(),
  /** Of those that ended well in this second; null: none. */
  p50_ms: z.number().nullable(),
  p95_ms: z.number().nullable(),
  p99_ms: z.number().nullable(),
  max_ms: z.number().nullable(),
  /** Mean of each part over the answers of this second. */
  stages_ms: z.record(z.string(), z.number()),
});
export type TimelinePoint = z.infer<typeof timelinePoint>;

/** One rate of `steps` or one probe of `search`. */
export const rateStep = z.object({
  step: z.int(),
  rate: z.number(),
  /** `steps`, or what the search did it for. */
  purpose: z.enum(['step', 'doubling', 'bisection', 'confirm', 'above']),
  offered: z.int(),
  achieved_ratio: z.number(),
  throughput_per_second: z.number(),
  /** Answers per second that met every latency limit of the SLO. */
  goodput_per_second: z.number(),
  error_ratio: z.number(),
  dropped: z.int(),
  response: latency,
  lag_p99_ms: z.number().nullable(),
  /** Growth of the number in flight, per second, and whether it is significantly above zero. */
  in_flight_slope: z.number(),
  growing: z.boolean(),
  passed: z.boolean(),
  /** Why it did not pass; empty when it did. */
  reasons: z.array(z.string()),
});
export type RateStep = z.infer<typeof rateStep>;

export const group = z.object({
  name: z.string(),
  requests: z.int(),
  ok: z.int(),
  failed: z.int(),
  /** Of all requests that named one. */
  share: z.number(),
  response: latency,
});
export type Group = z.infer<typeof group>;

/** Something done to the target meanwhile (`--marks`), and what became of the answers; `worst_ms`, `failed`: until recovered. */
export const markRow = z.object({
  /** Since the run began. */
  at_ms: z.number(),
  text: z.string(),
  /** P95 of the seconds before; null: there were too few. */
  before_p95_ms: z.number().nullable(),
  /** `lasting`: not as before until the end or the next mark. `unknown`: too little around it to say. */
  effect: z.enum(['none', 'recovered', 'lasting', 'unknown']),
  worst_ms: z.number().nullable(),
  failed: z.int(),
  /** From the mark to the end of the last second that was off; null: not recovered, or unknown. */
  recovered_after_ms: z.number().nullable(),
});
export type MarkRow = z.infer<typeof markRow>;

/** What the target's own `/metrics` said while the run went on, warm-up included. */
export const targetFigures = z.object({
  pages: z.array(z.object({ url: z.string(), read: z.int(), missed: z.int() })),
  /** Gauges, and `cpu_cores`: processor time a second. Points are [milliseconds since the run began, value]. */
  series: z.array(
    z.object({
      name: z.string(),
      /** Its queue, replica or process; null: there is but one. */
      label: z.string().nullable(),
      mean: z.number(),
      max: z.number(),
      points: z.array(z.tuple([z.number(), z.number()])),
    }),
  ),
  /** Counters that grew, by how much. */
  counters: z.array(
    z.object({ name: z.string(), labels: z.record(z.string(), z.string()), increase: z.number() }),
  ),
});
export type TargetFigures = z.infer<typeof targetFigures>;
