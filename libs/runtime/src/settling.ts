import type { StageName } from '@vortex/contracts';
import type { Logger, QueueName } from '@vortex/observability';
import type { SettleWord } from '@vortex/queue';
import type { JobSource } from './job-source.ts';
import type { JobEvent, JobTally } from './job-tally.ts';
import type { Run } from './run.ts';

/**
 * Concludes runs: marks them, and follows what Redis answers. All endings race for one mark, and its two writers
 * are here side by side: `settle`, and `tell` for those that must be heard elsewhere before Redis hears them.
 */
export interface Settling {
  settle(run: Run, settled: Promise<SettleWord>, event: JobEvent): void;
  /**
   * A stage of ids tells who knows the job what becomes of it, then Redis. When that fails, a try or a return
   * stays uncounted, but an end is put off (`whenUntold`): ended here alone, the job would be found open and run again.
   */
  tell(
    run: Run,
    note: (jobs: JobSource) => Promise<void>,
    settleIt: () => void,
    whenUntold?: () => void,
  ): void;
  /** Counts Redis' answer; of deliveries that never became a run, too. */
  follow(settled: Promise<SettleWord>, event: JobEvent, id: string | undefined): void;
  /** What is told or settled and has not been answered yet. */
  pending(): number;
}

export function createSettling(options: {
  stage: StageName;
  queue: QueueName;
  jobs: JobSource | undefined;
  tally: JobTally;
  log: Logger;
}): Settling {
  const { stage, queue, jobs, tally, log } = options;
  let pending = 0;

  function follow(settled: Promise<SettleWord>, event: JobEvent, id: string | undefined): void {
    pending += 1;
    settled
      .then(
        (answer) => {
          if (answer === 'OK') tally(queue, event);
          else if (answer === 'BROKE') tally(queue, 'dead');
          else log.info({ job_id: id, stage }, 'somebody else owns the job by now; this run is dropped');
        },
        (error: unknown) =>
          // The element stays in the in-flight list, where reconcile finds it: tried again, not lost.
          log.error(
            { job_id: id, stage, err: error },
            'redis refused to settle the job; it will be tried again',
          ),
      )
      .finally(() => {
        pending -= 1;
      });
  }

  return {
    settle(run, settled, event) {
      run.concluded = true;
      follow(settled, event, run.job.id);
    },
    tell(run, note, settleIt, whenUntold = settleIt) {
      run.concluded = true;
      if (jobs === undefined) {
        settleIt();
        return;
      }
      pending += 1;
      note(jobs)
        .then(settleIt, (error: unknown) => {
          log.warn({ job_id: run.job.id, stage, err: error }, 'what became of the job was not noted');
          whenUntold();
        })
        .finally(() => {
          pending -= 1;
        });
    },
    follow,
    pending: () => pending,
  };
}
