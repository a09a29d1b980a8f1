import type { AnswerFrameBody, InputOf, JobHeader, Outcome, StageName, stages } from '@vortex/contracts';
import type { Logger, TraceCarrier, TraceSpan } from '@vortex/observability';
import type { JobSource } from './job-source.ts';

/** What a handler knows beside its input. */
export interface StageContext {
  /** The job's header; the deadline (epoch ms) is always set. */
  job: JobHeader & { deadline_at: number };
  /** Fires at the deadline, at the stage's budget, on cancellation and when a drain runs out of time. */
  signal: AbortSignal;
  log: Logger;
  /** Epoch milliseconds. */
  now(): number;
  /** Publishes an answer frame to the submitter; lost when nobody listens. */
  emit(frame: AnswerFrameBody): void;
  /** Of this run; null while nobody traces it. */
  span: TraceSpan | null;
  /** What is done on this run's behalf elsewhere continues, or links to, this. */
  trace: TraceCarrier;
  /**
   * For who asks how the answer came about: what `tell` gives is written down after the reply, if at all, and called
   * only then. What it holds must be small, hold no text of documents or answers, and not change afterwards.
   */
  explain(tell: () => object): void;
  /** Adds a duration to the job's `timings_ms`; `<stage>` and `queue_<stage>` are there already. */
  timing(name: string, ms: number): void;
}

/**
 * A stage decides and does not act: it returns what is to become of the job, the runtime carries it out.
 * It may run twice for one job (at-least-once), so its effects must be idempotent. A thrown StageFailure
 * with `mayRetry: false` is a rejection; any other throw is retried inside the deadline.
 */
export type StageHandler<Stage extends StageName> = (
  input: InputOf<Stage>,
  context: StageContext,
) => Promise<Outcome<Stage>>;

/** Takes down a part of a query's story; must neither throw nor wait. */
export type NoteExplained = (query: { id: string; tenant: string }, part: string, tell: () => object) => void;

/** A stage whose list holds bare ids needs somebody who knows the jobs. */
export type LaneOf<Stage extends StageName> = {
  handler: StageHandler<Stage>;
  slots: number;
} & ((typeof stages)[Stage] extends { elements: 'ids' } ? JobSource : unknown);
