import { z } from 'zod';
import { type StageName, stageNames, stageOfList } from './pipeline.ts';

/** Dead letters over HTTP: `/api/dead-letters…`. A letter's id is its own; its job's is `job_id`. */

export const deadLetterSummary = z.object({
  id: z.string(),
  /** The list it died on, and where a redrive puts it (a replica's own list is left for the shared one). */
  queue: z.string(),
  stage: z.string(),
  /** Null: none could be read. */
  job_id: z.string().nullable(),
  /** Why, as the closed list of failures names it; `invalid_letter` for what no worker wrote. */
  code: z.string(),
  reason: z.string(),
  /** Deliveries, whether they ended in a failure or with the worker. Null: unknown, as are the times. */
  attempts: z.int().min(0).nullable(),
  first_at: z.string().nullable(),
  last_at: z.string().nullable(),
  /** Size of the job's element; more than the letter's `raw` where that was cut. */
  bytes: z.int().min(0),
});
export type DeadLetterSummary = z.infer<typeof deadLetterSummary>;

export const deadLetter = deadLetterSummary.extend({
  raw: z.string(),
  encoding: z.enum(['utf8', 'base64']),
  raw_truncated: z.boolean(),
  redrivable: z.boolean(),
  /** What to do about one that is not. */
  advice: z.string().nullable(),
});
export type DeadLetterResponse = z.infer<typeof deadLetter>;

export const deadLetterPage = z.object({
  dead_letters: z.array(deadLetterSummary),
  /** Given as `after` it brings the next page; null on the last one. */
  next: z.string().nullable(),
});
export type DeadLetterPage = z.infer<typeof deadLetterPage>;

/** A list's name, as `./vortex status` shows it; a replica's own one means the shared one. */
export const deadQueue = z
  .string()
  .max(200)
  .refine((list) => stageOfList(list) !== null, 'is no queue of the pipeline; GET /health names them')
  .transform((list) => stageOfList(list) as StageName);

export const deadStage = z.enum(stageNames as [StageName, ...StageName[]]);

/** `POST /api/dead-letters/redrive`: every condition given must hold. */
export const redriveRequest = z.strictObject({
  queue: z.string().max(200).optional(),
  stage: deadStage.optional(),
  code: z.string().min(1).max(100).optional(),
  ids: z.array(z.string().min(1).max(200)).min(1).max(1000).optional(),
  /** By the time of the job's end. */
  before: z.iso.datetime({ offset: true }).optional(),
  after: z.iso.datetime({ offset: true }).optional(),
  rate_per_second: z.number().positive().max(1000).default(50),
  limit: z.int().min(1).max(1000).default(100),
  /** Says what would be done, and does nothing. */
  dry_run: z.boolean().default(false),
});
export type RedriveRequest = z.input<typeof redriveRequest>;

export const redriven = z.object({
  id: z.string(),
  queue: z.string(),
  job_id: z.string(),
  /** The deadline had passed; the job has a new one. */
  deadline_renewed: z.boolean(),
  deadline_at: z.string(),
  /** Where the job can be followed; null when nobody follows jobs of its stage. */
  status_url: z.string().nullable(),
});
export type Redriven = z.infer<typeof redriven>;

export const redriveResult = z.object({
  id: z.string(),
  queue: z.string(),
  job_id: z.string().nullable(),
  outcome: z.enum(['redriven', 'would_redrive', 'refused', 'gone']),
  deadline_renewed: z.boolean(),
  /** Of a refusal: why, and what to do. */
  code: z.string().nullable(),
  detail: z.string().nullable(),
});
export type RedriveResult = z.infer<typeof redriveResult>;

export const deadLettersRedriven = z.object({
  dry_run: z.boolean(),
  /** Letters the filter fits, before `limit`. */
  matched: z.int().min(0),
  redriven: z.int().min(0),
  refused: z.int().min(0),
  /** Matched and not reached; `stopped_by` says what was in the way. */
  remaining: z.int().min(0),
  stopped_by: z.enum(['limit', 'time', 'queue_full', 'queue_unavailable', 'registry_unavailable']).nullable(),
  results: z.array(redriveResult),
});
export type DeadLettersRedriven = z.infer<typeof deadLettersRedriven>;

export const deadLettersDropped = z.object({ dropped: z.int().min(0) });
export type DeadLettersDropped = z.infer<typeof deadLettersDropped>;
