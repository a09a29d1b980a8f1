import { type JobHeader, type StageName, stages } from '@vortex/contracts';
import { noTracing, type TraceSpan, type Tracing } from '@vortex/observability';
import type { Moment } from './run.ts';

/**
 * The span of one run of a stage, and that of the wait in its list before it.
 *
 * A query is one trace: wait and run of each stage are children of the gateway's span, beside each other, as the
 * seconds of the query are. Runs that may be many, or come long after, begin a trace of their own and link to where
 * they come from: everything of the low lane (a document, its groups), and each try after the first, whether it
 * failed or lost its worker.
 */
export function beginRunSpan(
  tracing: Tracing,
  run: {
    stage: StageName;
    /** Where it was claimed: a generator's own, the shared one, that of batch jobs. */
    delivery: { list: string };
    job: JobHeader;
    claimedAt: number;
    waitedMs: number | undefined;
    begun: Moment;
  },
): TraceSpan | null {
  if (tracing === noTracing) return null;
  const { stage, delivery, job, claimedAt, waitedMs, begun } = run;
  const { list, lane } = stages[stage];
  const carrier = { traceparent: job.traceparent, tracestate: job.tracestate };
  const isOwnTrace = lane === 'low' || job.attempt > 1 || job.redelivered > 0;
  const isLinked = isOwnTrace && job.traceparent !== undefined;
  const place = {
    'messaging.system': 'redis',
    'messaging.destination.name': delivery.list,
    'messaging.message.id': job.id,
  };
  const span = tracing.begin(stage, {
    kind: 'consumer',
    ...(isLinked ? { link: carrier } : { parent: carrier }),
    startMs: begun.epochMs,
    startMonotonicMs: begun.monotonicMs,
    attributes: {
      ...place,
      ...operationOf[stage],
      'messaging.operation.type': 'process',
      'vortex.job.id': job.id,
      'vortex.attempt': job.attempt,
      'vortex.redelivered': job.redelivered,
    },
  });
  if (span === null || waitedMs === undefined) return span;
  const wait = {
    kind: 'internal',
    startMs: claimedAt - waitedMs,
    attributes: { ...place, 'messaging.operation.type': 'receive' },
  } as const;
  const name = `wait ${list}`;
  const waiting = isLinked ? span.child(name, wait) : tracing.begin(name, { ...wait, parent: carrier });
  waiting?.end(claimedAt);
  return span;
}

/** OpenTelemetry's words for what generative systems do; a generation's call is a span of its own. */
const operationOf: Partial<Record<StageName, Record<string, string>>> = {
  encode: { 'gen_ai.operation.name': 'embeddings' },
  embed: { 'gen_ai.operation.name': 'embeddings' },
  retrieve: { 'gen_ai.operation.name': 'retrieval' },
};
