import { setTimeout as delay } from 'node:timers/promises';
import {
  type CancelAccepted,
  cancelAccepted,
  endedStatuses,
  type JobEvent,
  type JobPage,
  type JobResponse,
  type JobStatus,
  jobPage,
  jobResponse,
} from '@vortex/contracts';
import { isPassing } from './errors.ts';
import { away, readJobEvents } from './job-events.ts';
import { type CallOptions, queryString, type Transport } from './transport.ts';

/** `/api/jobs…` */
export interface JobCalls {
  /** Newest first; `next` of a page given as `after` brings the one behind it. */
  list(
    filter?: { state?: JobStatus; collection?: string; document?: string; after?: string; limit?: number },
    call?: CallOptions,
  ): Promise<JobPage>;
  get(id: string, call?: CallOptions): Promise<JobResponse>;
  /** Accepted only: the job says `cancelled` once its work has stopped and is gone. */
  cancel(id: string, call?: CallOptions): Promise<CancelAccepted>;
  /** Runs a failed or cancelled job again, under its id. */
  retry(id: string, call?: CallOptions): Promise<CancelAccepted>;
  /** Until the job has ended, well or badly; a gateway that is away for a moment is waited for. */
  wait(id: string, call?: CallOptions): Promise<JobResponse>;
  /**
   * What happens to the job, from its present state (or the event behind `after`) to its end; a cut connection is
   * taken up again without a gap. Leaving the loop closes it.
   */
  events(id: string, call?: CallOptions & { after?: number }): AsyncGenerator<JobEvent>;
}

/** Longest answer to one long poll: shorter than what proxies cut. */
const pollSeconds = 30;

export function jobCalls(transport: Transport): JobCalls {
  const pathOf = (id: string) => `/api/jobs/${encodeURIComponent(id)}`;
  return {
    list: (filter = {}, call = {}) => transport.json(jobPage, `/api/jobs${queryString(filter)}`, call),
    get: (id, call = {}) => transport.json(jobResponse, pathOf(id), call),
    cancel: (id, call = {}) =>
      transport.json(cancelAccepted, `${pathOf(id)}/cancel`, { ...call, method: 'POST' }),
    retry: (id, call = {}) =>
      transport.json(cancelAccepted, `${pathOf(id)}/retry`, { ...call, method: 'POST' }),
    async wait(id, call = {}) {
      let awaySince: number | null = null;
      for (let pause: number = away.firstMs; ; pause = Math.min(away.longestMs, pause * 2)) {
        const askedAt = performance.now();
        try {
          const job = await transport.json(jobResponse, `${pathOf(id)}?wait=${pollSeconds}s`, call);
          if (endedStatuses.has(job.status)) return job;
          awaySince = null;
        } catch (error) {
          if (!isPassing(error)) throw error;
          awaySince ??= performance.now();
          if (performance.now() - awaySince > away.limitMs) throw error;
        }
        // An answer that was waited for needs no pause; one that came at once (a gateway that stops) does.
        if (performance.now() - askedAt > away.longestMs) pause = away.firstMs;
        else await delay(pause, undefined, { ...(call.signal && { signal: call.signal }) });
      }
    },
    events: (id, call = {}) => readJobEvents(transport, id, call),
  };
}
