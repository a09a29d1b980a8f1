import { stages } from '@vortex/contracts';
import type { Logger, Metrics } from '@vortex/observability';
import type { Submitter } from '@vortex/queue';
import type { Registry } from '@vortex/registry';
import type { Releaser } from './release-waiting.ts';
import type { Spool } from './spool.ts';

/**
 * Puts jobs back into the queue that the queue has lost: a wiped Redis, a gateway that died between registry and
 * queue. The registry knows which jobs are open; who is live is asked of Redis; who is in the one and not in the
 * other, and has not been touched for a while, is admitted again under its id. Of two sweepers at once the second
 * is told DUP. A job that runs is touched all the while (report-progress.ts), so that it is not taken for lost when
 * Redis has forgotten it: it will end by itself, in the registry.
 *
 * An id that has waited so long that Redis ended it as overdue (expire-one) is in the list still and not live: it is
 * admitted again as well, and of its two elements the second finds the job over. No document fails by having waited.
 *
 * Jobs that wait in the registry for their tenant's turn are not lost (the list never had them). A round releases whoever
 * may be: what ends usually does that at once, and dies sometimes before. One that never came to wait, because whoever
 * accepted it died, waits from here on.
 *
 * Besides it says that this worker lives, whose slots the tenants share, and forgets what is old: ended jobs after their days, spool folders of jobs that have ended.
 *
 * It cannot know documents of the light way in that no worker has taken yet: those are in Redis alone.
 */
export interface Sweeper {
  /** One round; the timer calls it, and tests. Resolves with the number of jobs that were queued again. */
  sweep(): Promise<number>;
  stop(): Promise<void>;
}

export interface SweeperDeps {
  registry: Pick<
    Registry,
    'openJobs' | 'countOpenJobs' | 'forgetOldJobs' | 'noteUploadWorker' | 'forgetUploadWorker'
  >;
  submitter: Pick<Submitter, 'areLive' | 'name'>;
  releaser: Pick<Releaser, 'admit' | 'letWait' | 'releaseNow'>;
  /** Documents this process works on at a time. */
  slots: number;
  spool: Pick<Spool, 'sweep'>;
  /** Jobs this process works on: never lost, whatever Redis says. */
  running(): ReadonlySet<string>;
  /** Time between two rounds; 0: only when asked. */
  sweepMs: number;
  /** How long an open job must have been untouched; well above what a running one is touched by (upload-deps.ts). */
  untouchedMs: number;
  historyDays: number;
  metrics: Metrics;
  log: Logger;
  now?: () => number;
}

/** A job that waits is as untouched as a lost one, so Redis is asked about each; the oldest first, this many a round. */
const jobsPerRound = 1000;
/** History and spool are not urgent. */
const houseKeepingMs = 60_000;
const dayMs = 24 * 3_600_000;

export function startSweeper(deps: SweeperDeps): Sweeper {
  const {
    registry,
    submitter,
    releaser,
    slots,
    spool,
    running,
    sweepMs,
    untouchedMs,
    historyDays,
    metrics,
    log,
    now = Date.now,
  } = deps;
  let timer: NodeJS.Timeout | undefined;
  let round: Promise<unknown> = Promise.resolve();
  let stopped = false;
  let keepHouseAt = 0;

  async function sweep(): Promise<number> {
    await registry.noteUploadWorker(submitter.name, slots);
    metrics.set('rag_ingest_open_jobs', {}, await registry.countOpenJobs());
    if (now() >= keepHouseAt) await keepHouse();
    const untouchedSince = now() - untouchedMs;
    const open = await registry.openJobs({ untouchedSince, limit: jobsPerRound });
    const mine = running();
    // A job that is to be cancelled ends when its version is forgotten; there is nothing to run.
    const candidates = open.filter((job) => !job.cancelRequested && !mine.has(job.id));
    const live = await submitter.areLive(
      stages.upload.lane,
      candidates.map((job) => job.id),
    );
    const lost = candidates.filter((_, place) => live[place] === false);
    for (const job of lost) {
      if (job.turn === 'coming') await releaser.letWait(job.tenant, [job.id]);
      else await releaser.admit(job);
    }
    await releaser.releaseNow();
    if (lost.length > 0) log.warn({ jobs: lost.length }, 'jobs that the queue had lost were queued again');
    metrics.add('rag_ingest_swept_total', {}, lost.length);
    return lost.length;
  }

  async function keepHouse(): Promise<void> {
    keepHouseAt = now() + houseKeepingMs;
    const forgotten = await registry.forgetOldJobs(now() - historyDays * dayMs);
    const folders = await spool.sweep(running());
    if (forgotten + folders > 0) log.info({ jobs: forgotten, folders }, 'old jobs and spool folders removed');
  }

  function tick(): void {
    round = sweep()
      .catch((error: unknown) => log.warn({ err: error }, 'a sweep failed; the next one tries again'))
      .then(() => {
        if (!stopped) timer = setTimeout(tick, sweepMs);
      });
  }
  if (sweepMs > 0) tick();

  return {
    sweep,
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await round;
      await registry
        .forgetUploadWorker(submitter.name)
        .catch((error: unknown) => log.warn({ err: error }, 'this worker is counted for a minute more'));
    },
  };
}
