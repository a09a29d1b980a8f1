import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '@vortex/observability';
import { parseObject } from '@vortex/queue';
import type { Registry } from '@vortex/registry';

/**
 * Asynchronous questions live in Redis alone, and nobody waits for them: here their ends are looked for and made
 * events. A question whose hash is gone (Redis was wiped, or its hour was over before anybody looked) has failed as
 * far as its asker can know. Just after its 202 the hash may not be there yet.
 */
const notThereYetMs = 60_000;
/** More than the chain holds (`gateway.max_live_queries`), so that none is overlooked behind those that run. */
const perLook = 2000;

export function watchQueries(deps: {
  registry: Pick<Registry, 'watchedQueries' | 'endWatchedQuery'>;
  jobs: { jobStatus(id: string): Promise<Record<string, string> | null> };
  log: Logger;
  now: () => number;
  everyMs: number;
  /** An event was recorded. */
  told: () => void;
}): { stop(): Promise<void> } {
  const { registry, jobs, log, now, everyMs, told } = deps;
  const stopping = new AbortController();

  async function look(): Promise<void> {
    for (const { jobId, since } of await registry.watchedQueries(perLook)) {
      const event = endOf(jobId, await jobs.jobStatus(jobId), now() - since);
      if (event !== null && (await registry.endWatchedQuery(jobId, event))) told();
      if (stopping.signal.aborted) return;
    }
  }

  const loop = (async () => {
    let failing = false;
    while (!stopping.signal.aborted) {
      try {
        await look();
        failing = false;
      } catch (error) {
        // Redis away is said once, not twice a second.
        log[failing ? 'debug' : 'warn']({ err: error }, 'the ends of asynchronous questions cannot be seen');
        failing = true;
      }
      await delay(everyMs, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  })();
  return {
    async stop() {
      stopping.abort();
      await loop;
    },
  };
}

type QueryEnd = { type: 'query.completed' | 'query.failed'; data: Record<string, unknown> };

function endOf(jobId: string, fields: Record<string, string> | null, ageMs: number): QueryEnd | null {
  if (fields === null) {
    if (ageMs < notThereYetMs) return null;
    const error = { code: 'internal', message: 'The queue no longer knows this question. Ask it again.' };
    return { type: 'query.failed', data: { job_id: jobId, status: 'failed', error } };
  }
  const { status } = fields;
  if (status === 'completed') {
    return { type: 'query.completed', data: { job_id: jobId, status, result: parsed(fields.result) } };
  }
  if (status !== 'failed' && status !== 'cancelled') return null;
  const error = { code: fields.error_code || 'internal', message: fields.error ?? '' };
  return { type: 'query.failed', data: { job_id: jobId, status, error } };
}

/** Null: no script of ours wrote it; that the question has ended is still worth telling. */
function parsed(text: string | undefined): unknown {
  return text === undefined ? null : parseObject(text);
}
