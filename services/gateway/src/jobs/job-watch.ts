import { setTimeout as delay } from 'node:timers/promises';
import type { JobEvent } from '@vortex/contracts';
import type { Logger } from '@vortex/observability';
import type { QueueInspector } from '@vortex/queue';
import type { Registry } from '@vortex/registry';
import { eventOfHash, eventOfRecord, hasEnded, jobOfHash } from './job-view.ts';

/**
 * Tells any number of watchers what happens to their jobs, from one loop. Ten times a second (of a few jobs
 * more often) it asks the registry, in one query, how far each watched job has come, and reads the events of those that have moved, once per job. Jobs
 * that the registry does not know are read from their hashes; when a worker brings such a job into the registry, its
 * events go on from there.
 *
 *   following ──► an event after which nothing comes (the job ended)      told with `last`, forgotten
 *       ├──► nobody knows the job any more, or the gateway stops          `onGone`, forgotten
 *       └──► the watcher leaves                                           forgotten
 */
export interface JobWatch {
  /**
   * Tells every event behind `after`, in order, none twice. `after: 'now'` begins with the latest one.
   * Returns what ends the watch.
   */
  follow(job: WatchedJob, after: number | 'now', watcher: JobWatcher): () => void;
  /** Ends every watch. */
  close(): Promise<void>;
}

/** That the tenant may see it is for whoever follows it to have found out. */
export interface WatchedJob {
  tenant: string;
  id: string;
}

export interface JobWatcher {
  onEvent(event: JobEvent, last: boolean): void;
  /** There will be no more events, and none said so. */
  onGone(): void;
}

export interface JobWatchOptions {
  registry: Pick<Registry, 'newestEvents' | 'getJob' | 'jobEvents'>;
  inspector: Pick<QueueInspector, 'jobStatus'>;
  log: Logger;
  tickMs?: number;
}

interface Watch extends WatchedJob {
  after: number | 'now';
  watcher: JobWatcher;
}

const pageSize = 500;
/** So many are looked at four times as often: each look at them costs microseconds, and their watchers wait for it. */
const few = 16;
/** Numbers of a hash's states are times; a job's own count does not get so far. */
export const leastTime = 1e12;

export function createJobWatch({ registry, inspector, log, tickMs = 100 }: JobWatchOptions): JobWatch {
  const watches = new Map<string, Set<Watch>>();
  /** Ids that have a watcher the loop has not looked for yet. */
  const fresh = new Set<string>();
  /** The newest event each job in the registry had when it was last looked at. */
  const newestSeen = new Map<string, number>();
  const stopped = new AbortController();
  let looping: Promise<void> | undefined;
  let woken = Promise.withResolvers<void>();
  let reported = false;

  function forget(watch: Watch): void {
    const ofJob = watches.get(watch.id);
    ofJob?.delete(watch);
    if (ofJob?.size !== 0) return;
    watches.delete(watch.id);
    fresh.delete(watch.id);
    newestSeen.delete(watch.id);
  }

  function endAll(id: string): void {
    for (const watch of [...(watches.get(id) ?? [])]) {
      forget(watch);
      watch.watcher.onGone();
    }
  }

  function start(): void {
    looping ??= loop().finally(() => {
      looping = undefined;
      // One that came while the loop was on its way out.
      if (watches.size > 0 && !stopped.signal.aborted) start();
    });
  }

  async function loop(): Promise<void> {
    while (watches.size > 0 && !stopped.signal.aborted) {
      woken = Promise.withResolvers<void>();
      try {
        await lookAtAll();
        reported = false;
      } catch (error) {
        for (const id of watches.keys()) fresh.add(id);
        // Once per outage: at ten a second it would drown the log.
        if (!reported) log.warn({ err: error }, 'jobs cannot be watched for now; the next look tries again');
        reported = true;
      }
      await rest();
    }
  }

  /** Until the next look, or until somebody comes who waits for the first one. */
  async function rest(): Promise<void> {
    const enough = new AbortController();
    await Promise.race([
      delay(watches.size <= few ? tickMs / 4 : tickMs, undefined, { signal: enough.signal }).catch(
        () => undefined,
      ),
      woken.promise,
    ]);
    enough.abort();
  }

  async function lookAtAll(): Promise<void> {
    const ids = [...watches.keys()];
    // Read first: what changes while we look is looked for again.
    const newest = await newestOf(ids);
    for (const id of ids.filter((one) => watches.has(one))) {
      const number = newest.get(id);
      const isFresh = fresh.delete(id);
      if (number === undefined) {
        if (newestSeen.has(id)) endAll(id);
        else await lookAtHash(id);
      } else if (isFresh || newestSeen.get(id) !== number) {
        newestSeen.set(id, number);
        await look(id);
      }
    }
  }

  /** One question for each tenant of the jobs. */
  async function newestOf(ids: readonly string[]): Promise<Map<string, number>> {
    const byTenant = Map.groupBy(ids, tenantOf);
    const found = await Promise.all(
      [...byTenant].map(([tenant, theirs]) => registry.newestEvents(tenant, theirs)),
    );
    return new Map(found.flatMap((newest) => [...newest]));
  }

  /** An id is of one tenant: all who watch it are. */
  function tenantOf(id: string): string {
    for (const { tenant } of watches.get(id) ?? []) return tenant;
    return '';
  }

  async function look(id: string): Promise<void> {
    const record = await registry.getJob(tenantOf(id), id);
    if (record === null) endAll(id);
    else await tellEvents(id, hasEnded(record));
  }

  async function tellEvents(id: string, ended: boolean): Promise<void> {
    const ofJob = [...(watches.get(id) ?? [])];
    const places = ofJob.map(({ after }) => (typeof after === 'number' && after < leastTime ? after : 0));
    let after = Math.min(...places);
    let over = ended;
    for (let full = true; full; ) {
      const page = await registry.jobEvents(tenantOf(id), id, after, pageSize);
      full = page.length === pageSize;
      for (const [at, record] of page.entries()) {
        after = record.sequence;
        const event = eventOfRecord(id, record);
        const newest = !full && at === page.length - 1;
        // An end that is not the newest event was taken back: the job was run again.
        if (newest) over = hasEnded(event);
        for (const watch of ofJob) {
          if (isDue(watch, record.sequence, record.at, newest)) tell(watch, event, newest && over);
        }
      }
    }
    // These have heard of the end before.
    if (over) for (const watch of ofJob) gone(watch);
  }

  async function lookAtHash(id: string): Promise<void> {
    const fields = await inspector.jobStatus(id);
    if (fields === null) return endAll(id);
    const job = jobOfHash(id, fields);
    const event = eventOfHash(job);
    for (const watch of [...(watches.get(id) ?? [])]) {
      if (watch.after === 'now' || event.sequence > watch.after) tell(watch, event, hasEnded(job));
      else if (hasEnded(job)) gone(watch);
    }
  }

  function isDue({ after }: Watch, sequence: number, at: number, newest: boolean): boolean {
    if (after === 'now') return newest;
    return after < leastTime ? sequence > after : at > after;
  }

  function tell(watch: Watch, event: JobEvent, last: boolean): void {
    if (!watches.get(watch.id)?.has(watch)) return;
    watch.after = event.sequence;
    if (last) forget(watch);
    watch.watcher.onEvent(event, last);
  }

  function gone(watch: Watch): void {
    if (!watches.get(watch.id)?.has(watch)) return;
    forget(watch);
    watch.watcher.onGone();
  }

  return {
    follow({ tenant, id }, after, watcher) {
      const watch: Watch = { tenant, id, after, watcher };
      const ofJob = watches.get(id) ?? new Set<Watch>();
      watches.set(id, ofJob.add(watch));
      fresh.add(id);
      woken.resolve();
      if (stopped.signal.aborted) queueMicrotask(() => gone(watch));
      else start();
      return () => forget(watch);
    },
    async close() {
      stopped.abort();
      woken.resolve();
      for (const id of [...watches.keys()]) endAll(id);
      await looping;
    },
  };
}
