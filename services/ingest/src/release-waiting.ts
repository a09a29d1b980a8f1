import { idsWaitMs, stages } from '@vortex/contracts';
import type { Logger } from '@vortex/observability';
import type { Submitter } from '@vortex/queue';
import type { JobRecord, Registry } from '@vortex/registry';

/**
 * Puts ids of jobs on the list: those whose turn it is (the registry decides), and those the list has lost.
 *
 * A round is one question to the registry and an id on the list for each job it released. Rounds follow each other, and
 * of all ends that come during one the next round is for: with 32 documents under way they come in swarms. A round that
 * fails, or dies between registry and list, is made good by the sweeper.
 */
export interface Releaser {
  /** A place has become free. */
  release(): void;
  /** The queue has let go of these jobs, which were accepted without room for them: they wait, or are on the list again. */
  letWait(tenant: string, jobIds: readonly string[]): Promise<void>;
  /** A round, awaited. */
  releaseNow(): Promise<number>;
  /** Puts the id on the list, unless it is in the queue. */
  admit(job: JobRecord): Promise<void>;
  /** No further rounds; resolves when none is under way. */
  stop(): Promise<void>;
}

export function createReleaser(deps: {
  registry: Pick<Registry, 'releaseJobs' | 'letWait'>;
  submitter: Pick<Submitter, 'enqueue'>;
  log: Logger;
  now?: () => number;
}): Releaser {
  const { registry, submitter, log, now = Date.now } = deps;
  let round: Promise<void> | undefined;
  let asked = false;
  let stopped = false;

  async function admit({ id, type, tenant, collection, payload, maxRetries }: JobRecord): Promise<void> {
    await submitter.enqueue({
      list: stages.upload.list,
      lane: stages.upload.lane,
      id,
      deadlineAt: now() + idsWaitMs,
      envelope: 'bare',
      // It was accepted; refusing it now would lose it.
      cap: Number.MAX_SAFE_INTEGER,
      track: { type, tenant, collection, payload, maxRetries },
    });
  }

  async function admitAll(jobs: readonly JobRecord[]): Promise<number> {
    // In one turn of the event loop, so that they share a script.
    await Promise.all(jobs.map(admit));
    return jobs.length;
  }

  async function rounds(): Promise<void> {
    while (asked && !stopped) {
      asked = false;
      await registry.releaseJobs().then(admitAll).catch(notNow);
    }
  }

  function notNow(error: unknown): void {
    log.warn({ err: error }, 'jobs that wait could not be released; the sweeper does it');
  }

  return {
    release() {
      asked = true;
      round ??= rounds().finally(() => {
        round = undefined;
      });
    },
    async letWait(tenant, jobIds) {
      await registry.letWait(tenant, jobIds).then(admitAll).catch(notNow);
    },
    async releaseNow() {
      return admitAll(await registry.releaseJobs());
    },
    admit,
    async stop() {
      stopped = true;
      await round;
    },
  };
}
