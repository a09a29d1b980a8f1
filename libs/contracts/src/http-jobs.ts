import { z } from 'zod';

/** Jobs over HTTP: `/api/jobs…`. */

export const jobAccepted = z.object({
  job_id: z.string(),
  status: z.literal('queued'),
  status_url: z.string(),
  /** What deliveries to the request's `webhook_url` are signed with; the same for every request with that address. */
  webhook_secret: z.string().optional(),
});
export type JobAccepted = z.infer<typeof jobAccepted>;

export const jobStatus = z.enum(['queued', 'processing', 'retrying', 'completed', 'failed', 'cancelled']);
export type JobStatus = z.infer<typeof jobStatus>;

/** A job that will not change any more. */
export const endedStatuses: ReadonlySet<JobStatus> = new Set(['completed', 'failed', 'cancelled']);

/** What a document's job is doing; null before it begins and after its end. */
export const jobStage = z.enum(['parse', 'chunk', 'embed', 'publish', 'cancel']);
export type JobStage = z.infer<typeof jobStage>;

/**
 * A job as the API shows it, and the fields of the hash `job:<id>`. A document's job stands in the registry
 * from its 202 on and for 30 days after its end; an asynchronous question's only in Redis, an hour.
 */
export const jobResponse = z.object({
  id: z.string(),
  type: z.string(),
  status: jobStatus,
  /** Per cent of committed work; 100 only when the document can be found. */
  progress: z.number().min(0).max(100),
  message: z.string().nullable(),
  stage: jobStage.nullable().default(null),
  /** Estimate of the time left; null while there is nothing to estimate from. */
  eta_ms: z.number().nullable().default(null),
  /** What was asked for: collection, file name, chunking …; null for questions. */
  payload: z.record(z.string(), z.unknown()).nullable().default(null),
  result: z.record(z.string(), z.unknown()).nullable(),
  error: z.string().nullable(),
  error_code: z.string().nullable(),
  document_id: z.string().nullable().default(null),
  retry_count: z.int().min(0).default(0),
  max_retries: z.int().min(0).default(0),
  created_at: z.string().nullable(),
  updated_at: z.string().nullable(),
  started_at: z.string().nullable(),
  completed_at: z.string().nullable(),
});
export type JobResponse = z.infer<typeof jobResponse>;

/** `GET /api/jobs/{id}/status`: the job without what was asked for and what came of it. */
export const jobStatusResponse = jobResponse.pick({
  id: true,
  status: true,
  progress: true,
  message: true,
  stage: true,
  eta_ms: true,
  error: true,
  error_code: true,
  updated_at: true,
});
export type JobStatusResponse = z.infer<typeof jobStatusResponse>;

export const jobPage = z.object({
  jobs: z.array(jobResponse),
  /** Given as `after` it brings the next page; null on the last one. */
  next: z.string().nullable(),
});
export type JobPage = z.infer<typeof jobPage>;

/** `POST /api/jobs/{id}/cancel`: `cancelled` is said by the job itself once its work has stopped and is gone. */
export const cancelAccepted = z.object({
  job_id: z.string(),
  status: jobStatus,
  message: z.string(),
  status_url: z.string(),
});
export type CancelAccepted = z.infer<typeof cancelAccepted>;

/** `data` of the events `progress` and `end` of `GET /api/jobs/{id}/events`; the event's id is the `sequence`. */
export const jobEvent = jobStatusResponse.extend({ sequence: z.int().min(1) });
export type JobEvent = z.infer<typeof jobEvent>;
