import { z } from 'zod';
import { cacheOutcomes, outcome, sample } from './sample-schema.ts';

/**
 * `summary.json`: everything a run found. Version 1; a field may be added within a version, and none changes its meaning.
 * One piece: it is one document.
 * Durations are milliseconds, rates per second, shares 0 to 1. Warm-up requests are in no figure but `warmup_requests`.
 */
export const summaryVersion = 1;

export const modes = ['closed', 'constant', 'poisson', 'steps', 'replay', 'search'] as const;

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

/** The settings of the run, with nothing secret: API keys are only counted. */
export const runConfig = z.object({
  url: z.string(),
  mode: z.enum(modes),
  /** Closed loop: requests kept in flight. */
  concurrency: z.int(),
  /** Open modes: requests per second; null where the mode has none or several. */
  rate: z.number().nullable(),
  /** `steps`: the rates, each for `step_duration_ms`. */
  steps: z.array(z.number()).nullable(),
  step_duration_ms: z.number(),
  /** Null: until `requests` are done. */
  duration_ms: z.number().nullable(),
  requests: z.int().nullable(),
  warmup_ms: z.number(),
  timeout_ms: z.number(),
  max_in_flight: z.int(),
  seed: z.int(),
  stream: z.boolean(),
  /** Sent as `cache`; null: the field is left out. */
  cache: z.enum(['default', 'bypass', 'refresh']).nullable(),
  collection: z.string().nullable(),
  top_k: z.int().nullable(),
  /** Share of ingest requests, 0 to 1. */
  ingest_share: z.number(),
  tenants: z.int(),
  slo: z.string(),
  questions: z.object({ source: z.string(), count: z.int() }),
  /** Of all that makes two runs comparable: all of the above but url. */
  hash: z.string(),
});
export type RunConfig = z.infer<typeof runConfig>;

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
export const stageRow = z.object({
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

export const searchResult = z.object({
  /** Null: not even the lowest rate held. */
  found_rate: z.number().nullable(),
  /** The lowest rate that failed; null: none did. */
  failed_rate: z.number().nullable(),
  /** Of the probes that passed, the rate with the best rate / mean latency. */
  knee_rate: z.number().nullable(),
  confirmed: z.boolean(),
  /** `this stack holds 118 queries/s at P99 ≤ 3 s`, or why that cannot be said. */
  sentence: z.string(),
});

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

export const summary = z.object({
  version: z.literal(summaryVersion),
  run: z.object({
    id: z.string(),
    started_at: z.iso.datetime(),
    /** `interrupted`: by Ctrl-C; what was seen until then is in the figures. */
    state: z.enum(['complete', 'interrupted']),
    /** Why the figures do not mean what was asked for; empty: valid. */
    invalid: z.array(z.string()),
    /** Worth knowing, and not wrong. */
    notes: z.array(z.string()),
    exit_code: z.int(),
    tool: z.object({ version: z.string(), node: z.string(), git_revision: z.string().nullable() }),
    host: z.object({ cpus: z.int(), cpu_model: z.string(), memory_bytes: z.int(), platform: z.string() }),
  }),
  config: runConfig,
  /** Queries only; ingest requests have figures of their own. */
  totals: z.object({
    /** First planned → last done. */
    duration_ms: z.number(),
    requests: z.int(),
    successful: z.int(),
    failed: z.int(),
    failed_ratio: z.number(),
    warmup_requests: z.int(),
    /** Successful per second. */
    throughput_per_second: z.number(),
    /** Open modes: planned per second, and how much of that was sent. */
    offered_per_second: z.number().nullable(),
    achieved_ratio: z.number().nullable(),
    /** Successful within every latency limit of the SLO, per second and as a share of all requests. */
    goodput_per_second: z.number(),
    goodput_ratio: z.number(),
    /** Mean in flight as counted, and as rate × mean latency; they must agree (Little's law). */
    in_flight_mean: z.number(),
    in_flight_by_law: z.number(),
    answered: z.int(),
    /** Answered with "nothing in the documents"; a success. */
    refused: z.int(),
  }),
  latency: z.object({
    /** Which of the two the run is judged by: `response` in open modes. */
    headline: z.enum(['response', 'service']),
    response: latency,
    service: latency,
    send_lag: latency,
  }),
  /** Points of the headline latency for a percentile plot, ascending to the highest sample. */
  percentiles: z.array(z.object({ percentile: z.number(), ms: z.number() })),
  errors: z.array(z.object({ outcome, status: z.int().nullable(), error: z.string(), count: z.int() })),
  slo: z.object({ checks: z.array(sloCheck), met: z.boolean() }),
  /** Null: the target gives no `timings_ms`. */
  stages: stageTable.nullable(),
  replicas: z.array(group),
  cache: z.array(group.extend({ name: z.enum(cacheOutcomes) })),
  tenants: z.array(group),
  /** Jain's index over the tenants' throughput, 1 is even; null below two tenants. */
  fairness: z.number().nullable(),
  stream: z.object({ first_token: latency, gap: latency }).nullable(),
  ingest: z
    .object({
      requests: z.int(),
      accepted: z.int(),
      accept: latency,
      freshness: latency,
      /** Accepted and not found by a search until the run gave up waiting. */
      not_found: z.int(),
    })
    .nullable(),
  timeline: z.array(timelinePoint),
  /** Time between planned arrivals, `count` of them up to `up_to_ms`; empty in a closed loop. */
  arrival_gaps: z.array(z.object({ up_to_ms: z.number(), count: z.int() })),
  /** In the order of time; those before the run's beginning or after its end are not among them. */
  marks: z.array(markRow).default([]),
  /** Null: the target shows no metrics that are known here, or was not asked. */
  target: targetFigures.nullable().default(null),
  steps: z.array(rateStep),
  search: searchResult.nullable(),
  /** The twenty longest of those that ended well, longest first. */
  slowest: z.array(sample),
});
export type Summary = z.infer<typeof summary>;
