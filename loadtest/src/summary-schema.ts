import { z } from 'zod';
import {
  group,
  latency,
  markRow,
  rateStep,
  sloCheck,
  stageTable,
  targetFigures,
  timelinePoint,
} from './figures-schema.ts';
import { cacheOutcomes, outcome, sample } from './sample-schema.ts';

/**
 * `summary.json`: everything a run found, made of the figures of figures-schema.ts. Version 1; a field may be added within
 * a version, and none changes its meaning. Durations are milliseconds, rates per second, shares 0 to 1. Warm-up requests
 * are in no figure but `warmup_requests`.
 */
export const summaryVersion = 1;

export const modes = ['closed', 'constant', 'poisson', 'steps', 'replay', 'search'] as const;

/** The settings of the run, with nothing secret: API keys are only counted. */
const runConfig = z.object({
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

const searchResult = z.object({
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
