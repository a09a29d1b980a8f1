import { type StageName, stages } from '@vortex/contracts';
import type { Consumer } from '@vortex/queue';
import type { JobEndings } from './job-endings.ts';
import type { Run } from './run.ts';
import type { MeasureRun } from './run-measure.ts';

/**
 * The runs whose handlers are at work, and what ends them from outside: deadline, budget, cancellation, drain.
 *
 * Interrupted, a run is concluded at once and its signal fires; its slot stays taken until the handler returns, for
 * work that ignores its signal must not be joined by more of its kind.
 */
export interface RunningJobs {
  add(run: Run): void;
  /** Its handler has returned. */
  remove(run: Run): void;
  cancel(id: string): void;
  giveBackAll(): void;
  /** Of those that are not concluded. */
  ids(): string[];
  count(): number;
  stop(): void;
}

/** How often deadlines and budgets of running jobs are looked at; one timer for all is cheaper than one each. */
const watchMs = 50;

export function createRunningJobs(options: {
  stage: StageName;
  consumer: Pick<Consumer, 'keepSlot'>;
  endings: Pick<JobEndings, 'end' | 'giveBack'>;
  failed: (run: Run, error: unknown) => void;
  measure: MeasureRun;
  now: () => number;
}): RunningJobs {
  const { stage, consumer, endings, failed, measure, now } = options;
  const { budgetMs } = stages[stage];
  const runs = new Set<Run>();
  let watch: NodeJS.Timeout | undefined;

  function lookAtClocks(): void {
    if (runs.size === 0) {
      clearInterval(watch);
      watch = undefined;
      return;
    }
    const time = now();
    const monotonic = performance.now();
    for (const run of runs) {
      if (run.concluded) continue;
      if (time >= run.job.deadline_at) {
        interrupt(run, new DOMException('the deadline passed', 'TimeoutError'), () => {
          measure(run, 'expired');
          endings.end(run, 'deadline_exceeded', `the deadline passed while ${stage} worked on the job`);
        });
      } else if (monotonic - run.begun.monotonicMs >= budgetMs) {
        const reason = `${stage} ran longer than its budget of ${budgetMs} ms`;
        const error = new DOMException(reason, 'TimeoutError');
        interrupt(run, error, () => failed(run, error));
      }
    }
  }

  function interrupt(run: Run, reason: DOMException, conclude: () => void): void {
    // The settle frees the slot; the handler, which may still run, keeps it until it returns.
    run.releaseSlot = consumer.keepSlot();
    conclude();
    run.interruption = reason;
    run.controller?.abort(reason);
  }

  return {
    add(run) {
      runs.add(run);
      watch ??= setInterval(lookAtClocks, watchMs);
    },
    remove(run) {
      runs.delete(run);
      run.releaseSlot?.();
    },
    cancel(id) {
      for (const run of runs) {
        if (run.job.id !== id || run.concluded) continue;
        interrupt(run, new DOMException('the job was cancelled', 'AbortError'), () => {
          measure(run, 'cancelled');
          endings.end(run, 'cancelled', `the job was cancelled while ${stage} worked on it`);
        });
      }
    },
    giveBackAll() {
      for (const run of runs) {
        if (run.concluded) continue;
        interrupt(run, new DOMException('the worker is stopping', 'AbortError'), () => {
          measure(run, 'returned');
          endings.giveBack(run);
        });
      }
    },
    ids: () => [...runs].filter((run) => !run.concluded).map((run) => run.job.id),
    count: () => runs.size,
    stop: () => clearInterval(watch),
  };
}
