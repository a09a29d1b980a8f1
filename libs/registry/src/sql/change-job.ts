import type { JobRecord } from '../jobs.ts';
import { flag, jobFrom, number, text } from '../rows.ts';
import { first, type Row, run, type Steps } from './steps.ts';

/** A job with what is nobody's business outside. */
export interface StoredJob {
  record: JobRecord;
  externalId: string;
  madeDocument: boolean;
  madeCollection: boolean;
  lastEvent: number;
}

export const isOpen = ({ record }: StoredJob) => record.completedAt === null;

/** What may change in a job once it exists. */
export type JobChange = Partial<
  Pick<
    JobRecord,
    | 'status'
    | 'stage'
    | 'progress'
    | 'message'
    | 'etaMs'
    | 'result'
    | 'error'
    | 'errorCode'
    | 'retryCount'
    | 'deliveries'
    | 'cancelRequested'
    | 'turn'
    | 'version'
    | 'startedAt'
    | 'completedAt'
  >
>;

export function storedJobFrom(row: Row): StoredJob {
  return {
    record: jobFrom(row),
    externalId: text(row, 'external_id'),
    madeDocument: flag(row, 'made_document'),
    madeCollection: flag(row, 'made_collection'),
    lastEvent: number(row, 'last_event'),
  };
}

/** The job, locked until the transaction ends. */
export function* lockJob(jobId: string): Steps<StoredJob | null> {
  const row = yield* first('SELECT * FROM jobs WHERE id = :jobId FOR UPDATE', { jobId });
  return row === undefined ? null : storedJobFrom(row);
}

/** The only writer of a job that exists. What a watcher should see becomes an event. */
export function* changeJob(job: StoredJob, change: JobChange, at: number): Steps<StoredJob> {
  const before = job.record;
  const record: JobRecord = { ...before, ...change, updatedAt: at };
  const seen = ['status', 'stage', 'progress', 'message', 'error', 'errorCode'] as const;
  const isNews = seen.some((field) => record[field] !== before[field]);
  const changed = { ...job, record, lastEvent: job.lastEvent + (isNews ? 1 : 0) };
  yield* run(
    `UPDATE jobs SET status = :status, stage = :stage, progress = :progress, message = :message, eta_ms = :etaMs,
            result = :result, error = :error, error_code = :errorCode, retry_count = :retryCount,
            deliveries = CAST(:deliveries AS BIGINT),
            survived_reads = CASE WHEN CAST(:deliveries AS BIGINT) = 0 THEN 0 ELSE survived_reads END,
            cancel_requested = :cancelRequested, turn = :turn, version = :version, last_event = :lastEvent,
            updated_at = :updatedAt, started_at = :startedAt, completed_at = :completedAt
      WHERE id = :id`,
    {
      ...record,
      result: record.result === null ? null : JSON.stringify(record.result),
      payload: null,
      cancelRequested: record.cancelRequested ? 1 : 0,
      lastEvent: changed.lastEvent,
    },
  );
  if (isNews) yield* noteJobEvent(changed, at);
  return changed;
}

/** The job as it is now, under its newest number. */
export function* noteJobEvent({ record, lastEvent }: StoredJob, at: number): Steps<void> {
  const { id, status, stage, progress, message, etaMs, error, errorCode } = record;
  yield* run(
    `INSERT INTO job_events (job_id, sequence, at, status, stage, progress, message, eta_ms, error, error_code)
     VALUES (:id, :lastEvent, :at, :status, :stage, :progress, :message, :etaMs, :error, :errorCode)`,
    { id, lastEvent, at, status, stage, progress, message, etaMs, error, errorCode },
  );
}

/** Asks an open job to stop. It ends as `cancelled` when its version is forgotten. */
export function* requestCancel(job: StoredJob, message: string, at: number): Steps<StoredJob> {
  if (job.record.cancelRequested) return job;
  return yield* changeJob(job, { cancelRequested: true, stage: 'cancel', message, etaMs: null }, at);
}

/** The job that builds (or built) this version, as long as it has not gone on to another one. */
export function* lockJobOfVersion(
  jobId: string,
  documentId: string,
  version: number,
): Steps<StoredJob | null> {
  const job = yield* lockJob(jobId);
  const isOfVersion = job?.record.documentId === documentId && job.record.version === version;
  return isOfVersion ? job : null;
}
