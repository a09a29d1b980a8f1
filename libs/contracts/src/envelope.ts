import { z } from 'zod';

/**
 * What every job on every list carries, beside its stage's own fields: one flat JSON object, snake_case.
 * `id` is all a person who pushes by hand must give; the runtime fills in the rest. Times are epoch
 * milliseconds, never Date. New fields are optional, so that two code versions can share a chain.
 */
export const envelopeVersion = 1;

/** Printable ASCII: an id becomes part of Redis keys and log lines. */
export const jobId = z
  .string()
  .regex(/^[\x21-\x7e]{1,200}$/, 'must be 1 to 200 printable ASCII characters without spaces');

export const defaultTenant = 'default';
export const defaultCollection = 'default';
/** Vortex's own documentation; reads of an empty default collection fall back to it. */
export const demoCollection = 'vortex-docs';

export const collectionName = z
  .string()
  .regex(
    /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}$/,
    'must be 1 to 64 letters, digits, dots, dashes or underscores, and start with a letter or digit',
  );

/** The generator replica a query was assigned to; its lease in `llm:inflight:<url>` is released when the job ends. */
const replicaRef = z.object({
  worker_name: z.string().min(1),
  url: z.string().min(1),
  /** The replica's breaker is half open, and this job is the one that it may try. */
  probe: z.boolean().optional(),
});

/**
 * A run that was not the last: `failed` counts as an attempt, `later` does not (the stage asked to be called again),
 * `lost` came back from a worker that stopped beating.
 */
export const failedTry = z.object({
  kind: z.enum(['failed', 'later', 'lost']),
  stage: z.string().nullable(),
  /** Its name. */
  worker: z.string(),
  /** Of generators: their address. */
  replica: z.string().optional(),
  code: z.string().optional(),
  reason: z.string().optional(),
  /** From its claim on; unknown of a lost one. */
  ms: z.number().optional(),
});
export type FailedTry = z.infer<typeof failedTry>;

/** The newest are carried along. */
export const maxTries = 8;

/** Durations in milliseconds, never points in time: they may be summed across hosts. */
export const timingsMs = z.record(z.string(), z.number());
export type TimingsMs = z.infer<typeof timingsMs>;

export const jobHeader = z.object({
  id: jobId,
  /** Absent means 1. Anything else than a known version goes to the dead list, unread. */
  v: z.literal(envelopeVersion).default(envelopeVersion),
  tenant: z.string().min(1).max(100).default(defaultTenant),
  /** Absolute; absent in hand-pushed envelopes, where the first claim sets it. */
  deadline_at: z.number().positive().optional(),
  /** Runs begun after a failure of our own making; starts at 1. */
  attempt: z.int().min(1).default(1),
  /** Times the job came back because its worker died or froze. */
  redelivered: z.int().min(0).default(0),
  traceparent: z.string().max(200).optional(),
  /** W3C, beside traceparent; what is longer is not passed on. */
  tracestate: z.string().max(512).optional(),
  /** Name of the submitter whose inbox `job:done:<name>` hears of the end. Absent: only the completion key does. */
  reply_to: z.string().max(200).optional(),
  /** When it was put on its present list (queue wait is claimed at − enqueued at). */
  enqueued_at: z.number().optional(),
  /** The same of its first try at this stage, once it has been tried again. */
  first_at: z.number().optional(),
  /** Keep status and result in the hash `job:<id>` for an hour (asynchronous queries and ingest). */
  track: z.boolean().default(false),
  replica: replicaRef.optional(),
  /** Absent means interactive: somebody waits. A batch job never takes an interactive one's place. */
  class: z.enum(['interactive', 'batch']).optional(),
  /** Id of the key that pays for the answer's tokens; absent: nobody counts them. */
  charge: z.string().min(1).max(64).optional(),
  /** What was put by of that key's tokens while the question is under way; given back when it is charged. */
  reservation: z.string().min(1).max(100).optional(),
  /** Replicas that failed at it: others are preferred for the next tries. */
  exclude: z.array(z.string()).max(8).optional(),
  timings_ms: timingsMs.default({}),
  /** Runs that were not the last, of every stage so far; absent in the usual case of none. Unreadable ones cost no job. */
  tries: z.array(failedTry).max(maxTries).optional().catch(undefined),
});
export type JobHeader = z.infer<typeof jobHeader>;
