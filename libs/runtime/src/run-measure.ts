import type { StageName } from '@vortex/contracts';
import { type LabelsOf, type Metrics, type TraceSpan, traceIdOf } from '@vortex/observability';
import type { Run } from './run.ts';
import type { RunTimes } from './run-times.ts';

export type RunOutcome = LabelsOf<'rag_stage_duration_seconds'>['outcome'];

/** How long a run took, once it is known how it ended: in the job's timings, its span, the metrics. */
export type MeasureRun = (run: Run, outcome: RunOutcome) => void;

export function createRunMeasure(options: {
  stage: StageName;
  runTimes: RunTimes;
  metrics: Metrics;
  now: () => number;
}): MeasureRun {
  const { stage, runTimes, metrics, now } = options;
  return (run, outcome) => {
    const serviceMs = performance.now() - run.begun.monotonicMs;
    run.timingsMs[stage] = Math.round(serviceMs * 1000) / 1000;
    if (run.span !== null) endSpan(run.span, outcome, run.begun.epochMs + serviceMs);
    if (outcome === 'forwarded' || outcome === 'completed') runTimes.note(serviceMs, now());
    metrics.observe(
      'rag_stage_duration_seconds',
      { stage, outcome },
      serviceMs / 1000,
      traceIdOf(run.job.traceparent),
    );
  };
}

/** Only a run's own end: that it was given back, or another shall try, is no error. */
function endSpan(span: TraceSpan, outcome: RunOutcome, endMs: number): void {
  span.set({ 'vortex.outcome': outcome });
  if (outcome === 'expired') span.fail('deadline_exceeded');
  span.end(endMs);
}
