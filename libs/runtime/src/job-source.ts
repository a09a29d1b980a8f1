import type { FailureCode, JobHeader } from '@vortex/contracts';

/**
 * Who knows the jobs of a list of bare ids (`elements: 'ids'` in the map): the registry, as the service that
 * serves such a stage passes it in. The element carries no counters, so tries and deliveries are counted
 * there: `resolve` counts a delivery, `onRetry` a try.
 *
 * Each of the others is told before Redis is, so that a crash in between shows a job that is still to be done
 * and never one that ended unheard. One that throws (the database is away) loses nothing: after `onRetry` and
 * `onRelease` the job goes its way uncounted, instead of an end it is put off and resolved again.
 */
export interface JobSource {
  /** A worker has claimed the id. Null: nobody knows it. A throw puts the job off for some seconds, unblamed. */
  resolve(id: string): Promise<ResolvedJob | null>;
  /** The try failed and another follows. */
  onRetry(id: string, error: JobError): Promise<void>;
  /** Given back unblamed: the worker drains, or the stage answered `later`. */
  onRelease(id: string): Promise<void>;
  /** The job ends without `done`: rejected, out of tries, poison, past its deadline, cancelled. */
  onEnd(id: string, error: JobError): Promise<void>;
}

export interface JobError {
  /** Of a failed try: a throw that is no StageFailure is `internal`. */
  code: FailureCode;
  message: string;
}

/**
 * The header an envelope would have brought, or that there is nothing to do any more: the job ended (or was
 * cancelled) while its id waited. Then it leaves the queue without a run, a completion or a dead letter, and
 * the live view says `ended` (when absent, `cancelled`).
 */
export type ResolvedJob =
  | (Pick<
      JobHeader,
      'tenant' | 'attempt' | 'redelivered' | 'deadline_at' | 'first_at' | 'enqueued_at' | 'traceparent'
    > & {
      /** As the live view names it, in case Redis has forgotten it. */
      type?: string;
    })
  | { over: true; ended?: 'completed' | 'failed' | 'cancelled' };
