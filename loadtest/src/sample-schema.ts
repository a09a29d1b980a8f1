import { z } from 'zod';

/**
 * One line of `samples.ndjson`: one request, also one that was never sent (`dropped`) and one of the warm-up.
 * All points in time are milliseconds since the run began, on the load tester's own monotonic clock; all
 * durations of the server are durations, so nothing here compares two hosts' clocks.
 */

/** How a request ended. All but `ok` are failures, and no failure is ever inside a latency figure. */
export const outcomes = [
  'ok',
  /** No connection, or one that broke before an answer's first byte. */
  'connect',
  /** No whole answer within `timeout_ms`. */
  'timeout',
  /** 429 or 503: turned away. */
  'shed',
  /** 4xx but 429. */
  'client_error',
  /** 5xx but 503, or an `error` event in a stream. */
  'server_error',
  /** Below 400 and not 2xx. Redirects are not followed: what is measured is the address that was given. */
  'unexpected_status',
  /** A stream or a body that ended before its end. */
  'stream_cut',
  /** 200, but the answer is less than it should be: empty, cut, or with a citation that leads nowhere. */
  'degraded',
  /** Due, but `max_in_flight` were under way already: not sent. */
  'dropped',
] as const;
export const outcome = z.enum(outcomes);
export type Outcome = z.infer<typeof outcome>;
export const failureClasses = outcomes.filter((name) => name !== 'ok');

export const cacheOutcomes = ['hit', 'miss', 'stale', 'shared', 'bypass'] as const;

export const sample = z.object({
  /** Position in the plan, from 0; warm-up and measured requests share one count. */
  n: z.int().min(0),
  kind: z.enum(['query', 'ingest']),
  phase: z.enum(['warmup', 'measured']),
  /** Index of the rate step, in the modes that have several. */
  step: z.int().min(0).nullable(),
  /** As `--tenants` calls it, or `tenant-1`, … in the order of the API keys; null without keys. */
  tenant: z.string().nullable(),
  /** When it was due; in a closed loop, which has no plan, the same as `sent_ms`. */
  planned_ms: z.number(),
  /** Null: dropped. */
  sent_ms: z.number().nullable(),
  /** Last byte, or the failure. Null: dropped. */
  done_ms: z.number().nullable(),
  outcome,
  /** HTTP status; null without an answer. */
  status: z.int().nullable(),
  /** Code of the problem document, or what the network said; null when all is well. */
  error: z.string().nullable(),
  /** False: the target found nothing on it in its documents, which is an answer too. Null: it does not say. */
  answered: z.boolean().nullable(),
  /** What a degraded answer lacks. */
  degraded: z.array(z.string()),
  /** Null: the target does not say. */
  cache: z.enum(cacheOutcomes).nullable(),
  /** WORKER_NAME of the generator that answered. */
  replica: z.string().nullable(),
  /** Runs the pipeline needed; null: the target does not say. */
  attempt: z.int().min(1).nullable(),
  /** The target's own account of where the time went: `queue_<stage>`, `<stage>`, `admit`, `deliver`, `total`, … */
  timings_ms: z.record(z.string(), z.number()).nullable(),
  /** Sent as `traceparent`. */
  trace_id: z.string(),
  /** The target's id of the question or the job. */
  id: z.string().nullable(),
  /** Streams: sent → first piece of text. */
  first_token_ms: z.number().nullable(),
  /** Streams: time between pieces of text, in order. */
  gaps_ms: z.array(z.number()).nullable(),
  /** Ingest: accepted → first found by a search. Null: not an ingest, or not found in time. */
  freshness_ms: z.number().nullable(),
});
export type Sample = z.infer<typeof sample>;

/** The three durations of one request; null for what was never sent. */
export interface RequestTimes {
  /** planned → done: what a user who came at the planned moment waited. */
  responseMs: number;
  /** sent → done. */
  serviceMs: number;
  /** planned → sent: the load tester's own delay. */
  lagMs: number;
}

export function timesOf({ planned_ms, sent_ms, done_ms }: Sample): RequestTimes | null {
  if (sent_ms === null || done_ms === null) return null;
  return { responseMs: done_ms - planned_ms, serviceMs: done_ms - sent_ms, lagMs: sent_ms - planned_ms };
}
