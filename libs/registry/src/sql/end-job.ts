import { changeJob, isOpen, lockJobOfVersion, type StoredJob } from './change-job.ts';
import { writeDocumentEvent } from './outbox.ts';
import type { Row, Steps } from './steps.ts';

/** Ends a job badly; its progress stays where it was. */
export function* endUnfinished(
  job: StoredJob,
  status: 'failed' | 'cancelled',
  error: { code: string; message: string },
  at: number,
): Steps<StoredJob> {
  const change = { status, stage: null, etaMs: null, completedAt: at, message: error.message };
  return yield* changeJob(job, { ...change, error: error.message, errorCode: error.code }, at);
}

export function* tellFailed(
  document: Row,
  job: StoredJob,
  error: { code: string; message: string },
  at: number,
): Steps<void> {
  const { id, version, webhookUrl } = job.record;
  const more = { error: error.message, error_code: error.code };
  yield* writeDocumentEvent(
    { type: 'document.failed', document, version, jobId: id, more, urls: [webhookUrl] },
    at,
  );
}

/** A version that was forgotten ends the job that was to be cancelled: nothing of it is left. */
export function* endCancelled(jobId: string, documentId: string, version: number, at: number): Steps<void> {
  const job = yield* lockJobOfVersion(jobId, documentId, version);
  if (job === null || !isOpen(job)) return;
  yield* endUnfinished(job, 'cancelled', { code: 'cancelled', message: 'the job was cancelled' }, at);
}
