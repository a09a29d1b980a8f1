import type { ExplainedEnd, StageName } from '@vortex/contracts';
import { attemptsOf, type Run } from './run.ts';
import type { NoteExplained } from './stage-handler.ts';

export type ExplainEnd = (run: Run, status: ExplainedEnd['status'], error: ExplainedEnd['error']) => void;

const queryStages: ReadonlySet<StageName> = new Set(['encode', 'retrieve', 'generate']);

/** Of queries; one that went straight on to a gateway that waits has its end written down there. */
export function createEndExplainer(stage: StageName, explain: NoteExplained | undefined): ExplainEnd {
  if (explain === undefined || !queryStages.has(stage)) return () => undefined;
  return (run, status, error) => {
    const { job, timingsMs } = run;
    const isUsual = status === 'completed' && job.tries === undefined && job.redelivered === 0;
    if (isUsual && job.reply_to !== undefined) return;
    explain(
      job,
      'end',
      (): ExplainedEnd => ({
        ...{ status, stage, error },
        attempt: attemptsOf(job),
        redelivered: job.redelivered,
        tries: job.tries ?? [],
        timings_ms: timingsMs,
      }),
    );
  };
}
