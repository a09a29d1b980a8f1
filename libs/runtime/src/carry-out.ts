import {
  type FailureCode,
  type Outcome,
  StageFailure,
  type StageName,
  type StageRow,
  stages,
} from '@vortex/contracts';
import type { Logger } from '@vortex/observability';
import { retryDelayMs } from './backoff.ts';
import type { JobEndings } from './job-endings.ts';
import { listOf, nextElement } from './next-element.ts';
import type { Run } from './run.ts';
import type { MeasureRun } from './run-measure.ts';

/** Carries out what a handler decided: picks the ending that its outcome, or its throw, stands for. */
export interface CarryOut<Stage extends StageName> {
  answered(run: Run, outcome: Outcome<Stage>): void;
  /** It threw, or ran out of its budget: tried again while tries and time are left. */
  failed(run: Run, error: unknown): void;
}

export function createCarryOut<Stage extends StageName>(options: {
  stage: Stage;
  endings: JobEndings;
  measure: MeasureRun;
  log: Logger;
  now: () => number;
}): CarryOut<Stage> {
  const { stage, endings, measure, log, now } = options;
  const { maxAttempts }: StageRow = stages[stage];
  const exhaustedCode: FailureCode = stage === 'generate' ? 'generator_failed' : 'attempts_exhausted';

  return {
    answered(run, outcome) {
      const { job } = run;
      switch (outcome.kind) {
        case 'forward': {
          measure(run, 'forwarded');
          const element = nextElement(outcome.to, job, outcome.payload, run.timingsMs, now());
          endings.forward(run, listOf(outcome.to, job), element);
          return;
        }
        case 'done':
          measure(run, 'completed');
          endings.complete(run, outcome.result);
          return;
        case 'reject':
          run.span?.fail(outcome.code);
          measure(run, 'rejected');
          if (outcome.code === 'cancelled') endings.end(run, 'cancelled', outcome.reason);
          else endings.bury(run, outcome.code, outcome.reason);
          return;
        case 'later': {
          const { afterMs, reason } = outcome;
          measure(run, 'later');
          if (afterMs >= job.deadline_at - now())
            endings.end(run, 'deadline_exceeded', `${stage} asked to wait past the deadline: ${reason}`);
          else endings.retry(run, { delayMs: Math.max(0, afterMs), reason, blame: undefined });
          return;
        }
        case 'leave':
          measure(run, 'later');
          endings.leave(run, outcome.onLeft);
          return;
        default:
          outcome satisfies never;
      }
    },

    failed(run, error) {
      const { job } = run;
      const failure = error instanceof StageFailure ? error : undefined;
      const message = error instanceof Error ? error.message : String(error);
      run.span?.fail(failure?.code ?? 'internal');
      measure(run, 'failed');
      if (failure?.mayRetry === false) {
        endings.bury(run, failure.code, message);
        return;
      }
      const delayMs = retryDelayMs(job.attempt, job.deadline_at - now());
      if (job.attempt >= maxAttempts || delayMs === null) {
        const reason = `gave up after ${job.attempt} of ${maxAttempts} tries: ${message}`;
        endings.bury(run, failure?.code ?? exhaustedCode, reason);
        return;
      }
      log.warn(
        { job_id: job.id, stage, attempt: job.attempt, delay_ms: delayMs, err: error },
        'the stage failed; trying again',
      );
      const blame = { code: failure?.code ?? 'internal', message };
      endings.retry(run, { delayMs, reason: message, blame });
    },
  };
}
