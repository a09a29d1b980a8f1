import type { JobStage, JobStatus } from '@vortex/contracts';
import type { ListPlace } from './records.ts';
import type { JobTurn } from './upload-turns.ts';

/**
 * Jobs of documents. Redis holds the queue and the live view; the truth about a job stands here from its 202
 * until 30 days after its end.
 *
 *   queued ──claimJob──► processing ──publishVersion──► completed
 *                          │  ▲  │
 *                 retryJob ▼  │  ├──endJob───────► failed ──reopenJob──► queued (a new version)
 *                     retrying┘  └──cancelJob … the version forgotten──► cancelled
 *
 * `progress` never goes back within a try. Every change that a watcher should see is an event with a number that
 * counts up from 1 per job, so that a watcher who was cut off asks for what came after the last it has.
 */
export interface JobRegistry {
  getJob(tenant: string, jobId: string): Promise<JobRecord | null>;
  /** Whose it is, for what carries nothing but its id. Null: unknown or forgotten. */
  tenantOfJob(jobId: string): Promise<string | null>;
  /** Newest first, at most `limit`, behind `after`. */
  listJobs(tenant: string, filter?: JobFilter): Promise<JobRecord[]>;
  /** Events after `after` (0: all), in order, at most `limit` (default 500). Empty for an unknown job. */
  jobEvents(tenant: string, jobId: string, after: number, limit?: number): Promise<JobEventRecord[]>;
  /** The number of each job's newest event, in one query, for whoever watches many; unknown jobs are missing. */
  newestEvents(tenant: string, jobIds: readonly string[]): Promise<Map<string, number>>;

  /**
   * A worker begins (or takes over) a job: `processing`, one more delivery. `over`: it has ended, or is to be
   * cancelled, or its document is gone. By id alone: the queue carries nothing else.
   */
  claimJob(jobId: string): Promise<JobClaim>;
  /**
   * How far it is. Progress that goes back within a try is raised to what was said. Only of a job
   * that is `processing` and not to be cancelled: a worker that lost it changes nothing.
   */
  noteProgress(jobId: string, progress: JobProgress): Promise<void>;
  /**
   * The document of a job that has lost a worker has been read to its end: this delivery is not counted against it,
   * `mostSurvivedReads` times between two stored groups. What kills a worker does so while it is read; a read document
   * only waits for the encoder, and in front of an encoder that is down, three unrelated deaths of its own worker made
   * poison of it (2 of 191 uploads under 20 kills).
   */
  noteRead(jobId: string): Promise<void>;
  /** The try failed and another follows: `retrying`, one more retry, deliveries and progress from 0. */
  retryJob(jobId: string, error: { code: string; message: string }): Promise<void>;
  /** The worker gives the job back unblamed (a drain): `queued`, this delivery is not counted. */
  releaseJob(jobId: string): Promise<void>;
  /**
   * Ends a job badly. The version it is building fails with it, `failed` with the event `document.failed`; a visible older
   * version stays visible and the document `ready`, with the error noted. A job that is being cancelled is left alone as
   * long as there is something of its version: `forgetVersion` ends it.
   */
  endJob(
    jobId: string,
    status: 'failed' | 'cancelled',
    error: { code: string; message: string },
  ): Promise<void>;

  /**
   * Asks for the end of a job: its version is given up at once, it is `cancelled` once what was stored is gone
   * (`forgetVersion`). `over`: it has ended before.
   */
  cancelJob(tenant: string, jobId: string): Promise<'cancelling' | 'over' | 'unknown'>;
  /**
   * Runs a failed or cancelled job again under its id, for a new version of its document. `not_ended`: it is open;
   * `completed`: there is nothing to repeat; `gone`: its document was deleted; `overtaken`: a newer version of
   * the document was accepted since. Until then, and for as long as the job is known, its original is kept.
   */
  reopenJob(
    tenant: string,
    jobId: string,
  ): Promise<'reopened' | 'not_ended' | 'completed' | 'gone' | 'overtaken' | 'unknown'>;

  /**
   * Open jobs last touched before `untouchedSince` (epoch ms), oldest first, for the sweeper that puts lost ones back into
   * the queue: those that wait for their turn (upload-turns.ts) are not lost.
   */
  openJobs(options: { untouchedSince: number; limit: number }): Promise<JobRecord[]>;
  /** Of all tenants. */
  countOpenJobs(): Promise<number>;
  /** Removes jobs (and their events) that ended before, and idempotency keys older than a day. Returns how many jobs. */
  forgetOldJobs(endedBefore: number): Promise<number>;
}

/** A document that does kill its worker after it was read ends as poison all the same, after so many deaths more. */
export const mostSurvivedReads = 9;

export interface JobRecord {
  id: string;
  tenant: string;
  type: string;
  status: JobStatus;
  stage: JobStage | null;
  /** Per cent, 0 to 100. */
  progress: number;
  message: string | null;
  etaMs: number | null;
  payload: Record<string, unknown>;
  result: Record<string, unknown> | null;
  error: string | null;
  errorCode: string | null;
  /** Tries after the first. */
  retryCount: number;
  maxRetries: number;
  /** Claims since the last sign of progress or orderly end; a job that kills its workers collects them. */
  deliveries: number;
  cancelRequested: boolean;
  turn: JobTurn;
  collection: string;
  documentId: string;
  version: number;
  webhookUrl: string | null;
  traceparent: string | null;
  createdAt: number;
  updatedAt: number;
  startedAt: number | null;
  completedAt: number | null;
}

export type JobClaim =
  | { outcome: 'run'; job: JobRecord }
  | { outcome: 'over'; job: JobRecord }
  | { outcome: 'unknown' };

export interface JobProgress {
  stage: JobStage;
  progress: number;
  message: string;
  etaMs: number | null;
  /** Work has been committed that survives the worker: deliveries are counted from 0 again. */
  committed?: boolean;
}

export interface JobFilter {
  status?: JobStatus;
  collection?: string;
  /** Of any of these. */
  collections?: readonly string[];
  documentId?: string;
  after?: ListPlace;
  /** Default 50. */
  limit?: number;
}

/** The job as it was after the change. */
export interface JobEventRecord {
  sequence: number;
  at: number;
  status: JobStatus;
  stage: JobStage | null;
  progress: number;
  message: string | null;
  etaMs: number | null;
  error: string | null;
  errorCode: string | null;
}
