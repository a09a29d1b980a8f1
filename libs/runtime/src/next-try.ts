import { type FailedTry, type JobHeader, type StageName, stages, type TimingsMs } from '@vortex/contracts';
import { addTry, changeHeader } from '@vortex/queue';
import type { JobError } from './job-source.ts';
import type { LaneIdentity, Run } from './run.ts';

/** A job is tried again: after how long, and why. */
export interface NextTry {
  delayMs: number;
  reason: string;
  /** The try failed, and counts; without it the stage asked to be called later. */
  blame: JobError | undefined;
}

/** The element of the next try: the payload byte for byte, the header with what this one has added to it. */
export function nextTryElement(
  identity: LaneIdentity,
  run: Run,
  { delayMs, reason, blame }: NextTry,
  now: number,
): string {
  const { job, delivery } = run;
  const { element: old } = delivery;
  if (typeof old !== 'string') throw new Error('an unreadable element cannot be retried (next-try-1)');
  const dueAt = now + delayMs;
  return changeHeader(old, {
    // A body pushed without an id has one derived from its bytes, which this changes.
    id: job.id,
    ...(job.track && { track: true }),
    attempt: attemptAfter(job, blame),
    deadline_at: job.deadline_at,
    enqueued_at: dueAt,
    first_at: job.first_at ?? job.enqueued_at,
    timings_ms: timingsWithWait(identity, run, dueAt),
    tries: triesWith(identity, run, reason, blame),
    // A generator's next try may be on another replica, so its lease and its assignment end here.
    ...(identity.replicaUrl !== undefined && {
      replica: undefined,
      exclude: failedAt(identity.replicaUrl, job, blame),
    }),
  });
}

/** What the live view says of a tracked job until then, JSON text. */
export function nextTryFields(stage: StageName, job: JobHeader, { reason, blame }: NextTry): string {
  return JSON.stringify({
    status: 'retrying',
    message: reason.slice(0, 500),
    updated_at: new Date().toISOString(),
    ...(blame !== undefined && {
      progress: '0',
      retry_count: String(attemptAfter(job, blame) - 1),
      // Each stage counts anew; and whoever pushed the job on its list has said nothing of it.
      max_retries: String(stages[stage].maxAttempts - 1),
      error: blame.message.slice(0, 2000),
      error_code: blame.code,
    }),
  });
}

function attemptAfter(job: JobHeader, blame: JobError | undefined): number {
  return job.attempt + (blame === undefined ? 0 : 1);
}

/** From the list it was put on until it is due again: the next try's wait is counted from there. */
function timingsWithWait({ stage }: LaneIdentity, { job, claimedAt }: Run, dueAt: number): TimingsMs {
  const name = `retry_${stage}`;
  const before = job.timings_ms[name] ?? 0;
  return { ...job.timings_ms, [name]: before + dueAt - (job.enqueued_at ?? claimedAt) };
}

function triesWith(
  { stage, workerName: worker, replicaUrl }: LaneIdentity,
  { job, timingsMs }: Run,
  reason: string,
  blame: JobError | undefined,
): FailedTry[] {
  return addTry(job.tries, {
    kind: blame === undefined ? 'later' : 'failed',
    ...{ stage, worker },
    ...(replicaUrl !== undefined && { replica: replicaUrl }),
    ...(blame !== undefined && { code: blame.code }),
    reason: reason.slice(0, 200),
    ms: timingsMs[stage],
  });
}

/** The replicas that have failed at the job, this one with them. */
function failedAt(url: string, job: JobHeader, blame: JobError | undefined): string[] | undefined {
  if (blame === undefined) return job.exclude;
  return [...(job.exclude ?? []).filter((one) => one !== url), url].slice(-8);
}
