import type { Outcome } from './sample-schema.ts';
import type { RunConfig, Summary } from './summary-schema.ts';

/** What a run looks like at one moment; one comes every 500 ms. */
export interface RunSnapshot {
  elapsedMs: number;
  phase: 'warmup' | 'measured' | 'draining';
  /** 0 to 1; null: the run's length is not known. */
  progress: number | null;
  /** `search`, `steps`: what is being done, `bisection at 84/s`. */
  activity: string | null;
  /** Requests per second over the last window; offered is null in a closed loop. */
  offeredPerSecond: number | null;
  achievedPerSecond: number;
  inFlight: number;
  sent: number;
  ok: number;
  failed: number;
  /** Of the last ten seconds, successes only; null: none. */
  window: { p50Ms: number | null; p95Ms: number | null; p99Ms: number | null };
  /** Since the run began; classes without any are absent. */
  failures: Partial<Record<Outcome, number>>;
  /** Share of the client's time in the last ten seconds, in the order of the pipeline, the residual last. */
  stages: { stage: string; kind: 'queue' | 'service' | 'other'; share: number; meanMs: number }[];
}

/**
 * Who watches a run. Calls come in this order: `start`, any number of `update` and `note`, then `end` exactly once,
 * also after an interruption. A view that took the terminal over gives it back in `end`, which must not throw.
 */
export interface LiveView {
  start(config: RunConfig): void;
  update(snapshot: RunSnapshot): void;
  /** A sentence that is to stay: a warning, the result of a probe. */
  note(line: string): void;
  /** Null: the run failed before it had figures. */
  end(summary: Summary | null): void;
}

export type { Summary };
