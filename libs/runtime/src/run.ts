import { defaultDeadlineMs, type JobHeader, type StageName, stages, type TimingsMs } from '@vortex/contracts';
import type { TraceSpan } from '@vortex/observability';
import type { Delivery } from '@vortex/queue';

/** One delivery of a job, from its claim until its handler has returned. The life of a run: stage-lane.ts. */
export interface Run {
  readonly delivery: Delivery;
  readonly job: DatedJob;
  /** Nobody may have admitted it: where Redis does not know the job it enters the live view now. */
  readonly enter: boolean;
  /** As the live view names it, should it enter there. */
  readonly type: string;
  readonly timingsMs: TimingsMs;
  readonly claimedAt: number;
  /** Undefined: an envelope pushed by hand does not say since when it waits. */
  readonly waitedMs: number | undefined;
  /** Of an envelope its claim; of a run that had to wait until it was alone, the end of that wait. */
  begun: Moment;
  span: TraceSpan | null;
  /** What becomes of the job is decided. Written in settling.ts alone; whoever finds it set does nothing. */
  concluded: boolean;
  /** Why the run was ended from outside. */
  interruption: DOMException | undefined;
  /** Made when a handler asks for its signal; an AbortController per job is not free. */
  controller: AbortController | undefined;
  /** The slot of a run that was interrupted, while its handler still works. */
  releaseSlot: (() => void) | undefined;
}

/**
 * One moment by both clocks, read together: durations are taken by the one, points in time of spans by the other. A
 * duration that is told and its span come from the same readings: between two readings of one moment the process may
 * be off the processor, and under 50 queries at once that was 90 ms.
 */
export interface Moment {
  readonly epochMs: number;
  readonly monotonicMs: number;
}

export function momentBy(now: () => number): Moment {
  return { epochMs: now(), monotonicMs: performance.now() };
}

export type DatedJob = JobHeader & { deadline_at: number };

/** Who runs it: said in the stories of tries, and where leases are kept. */
export interface LaneIdentity {
  readonly stage: StageName;
  readonly workerName: string;
  /** Generators: this replica's address. */
  readonly replicaUrl: string | undefined;
}

export function openRun(
  stage: StageName,
  delivery: Delivery,
  header: JobHeader,
  claimedAt: number,
  begun: Moment,
  { enter, type }: Pick<Run, 'enter' | 'type'>,
): Run {
  const job = {
    ...header,
    deadline_at: header.deadline_at ?? claimedAt + defaultDeadlineMs[stages[stage].lane],
  };
  const timingsMs: TimingsMs = { ...job.timings_ms };
  let waitedMs: number | undefined;
  if (job.enqueued_at !== undefined) {
    waitedMs = Math.max(0, claimedAt - job.enqueued_at);
    timingsMs[`queue_${stage}`] = waitedMs;
  }
  return {
    delivery,
    job,
    enter,
    type,
    timingsMs,
    claimedAt,
    waitedMs,
    begun,
    span: null,
    concluded: false,
    interruption: undefined,
    controller: undefined,
    releaseSlot: undefined,
  };
}

/** Deliveries so far: tries after failures of our own, and those that came back from the dead. */
export function attemptsOf(job: JobHeader): number {
  return job.attempt + job.redelivered;
}

/** Whose lease ends with the job: this replica's when it runs here, else that of the one it was assigned to. */
export function leaseHolder(
  { replicaUrl }: LaneIdentity,
  assigned: { url: string } | undefined,
): string | undefined {
  return replicaUrl ?? assigned?.url;
}
