import {
  batchListOf,
  generatorList,
  type JobHeader,
  type StageName,
  type StageRow,
  stages,
  type TimingsMs,
} from '@vortex/contracts';

/**
 * The element of the next stage: the header is carried over, the payload is what the stage gave. Attempt
 * and redelivered start anew: they count the troubles of one stage. A stage of ids gets the id alone.
 */
export function nextElement(
  to: StageName,
  job: JobHeader & { deadline_at: number },
  payload: object,
  timingsMs: TimingsMs,
  now: number,
): string {
  if ((stages[to] as StageRow).elements === 'ids') return job.id;
  return JSON.stringify({
    id: job.id,
    v: 1,
    tenant: job.tenant,
    deadline_at: job.deadline_at,
    enqueued_at: now,
    timings_ms: timingsMs,
    traceparent: job.traceparent,
    tracestate: job.tracestate,
    reply_to: job.reply_to,
    track: job.track || undefined,
    replica: job.replica,
    class: job.class,
    charge: job.charge,
    reservation: job.reservation,
    tries: job.tries,
    ...payload,
  });
}

export function listOf(stage: StageName, job: JobHeader): string {
  const batchList = job.class === 'batch' && job.replica === undefined ? batchListOf(stage) : null;
  if (batchList !== null) return batchList;
  return stage === 'generate' ? generatorList(job.replica?.worker_name) : stages[stage].list;
}
