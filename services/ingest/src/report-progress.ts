import type { Logger } from '@vortex/observability';
import type { LiveView } from '@vortex/queue';
import type { JobProgress, Registry } from '@vortex/registry';

/**
 * Says how far a job is: to the registry, which is asked by everybody, and to the live view in Redis. One write is
 * under way at a time and only the newest waits behind it, so nothing is said out of order. What is not said harms
 * nothing but the display, so no failure here fails the job.
 *
 * `say` waits half a second for something newer: parsing reports a thousand times a second, and of a document
 * that is through in less nothing is written but its commits (of nine transactions for a document of one chunk four
 * were of this kind). `sayNow` does not wait.
 *
 * Every `touchMs` the last word is said again: an open job that nobody has touched for a while is taken for lost by
 * the sweeper.
 */
export interface ProgressReporter {
  say(progress: JobProgress): void;
  sayNow(progress: JobProgress): void;
  /** What has not been said by now will not be. Resolves when no write is under way any more. */
  stop(): Promise<void>;
}

const longestPauseMs = 500;

export function createProgressReporter(options: {
  registry: Pick<Registry, 'noteProgress'>;
  liveView: Pick<LiveView, 'progress'>;
  jobId: string;
  touchMs: number;
  log: Logger;
}): ProgressReporter {
  const { registry, liveView, jobId, touchMs, log } = options;
  // A word that waits must not keep the job untouched.
  const pauseMs = Math.min(longestPauseMs, touchMs / 2);
  let last: JobProgress | undefined;
  let next: JobProgress | undefined;
  let writing: Promise<void> | undefined;
  let pause: NodeJS.Timeout | undefined;
  let stopped = false;

  function put(progress: JobProgress): void {
    // A commit that was not said yet stays one, whatever is said after it.
    const committed = next?.committed === true || progress.committed === true;
    next = { ...progress, committed };
  }

  function begin(): void {
    clearTimeout(pause);
    pause = undefined;
    if (next === undefined || stopped || writing !== undefined) return;
    const said = next;
    next = undefined;
    last = said;
    writing = write(said).finally(() => {
      writing = undefined;
      // What may wait has its pause still to come.
      if (pause === undefined) begin();
    });
  }

  async function write(said: JobProgress): Promise<void> {
    const { stage, progress, message, etaMs } = said;
    void liveView.progress(jobId, { stage, progress, message, etaMs });
    await registry.noteProgress(jobId, said).catch((error: unknown) => {
      log.warn({ err: error }, 'the registry did not take the progress');
    });
  }

  const touch = setInterval(() => {
    if (last === undefined || next !== undefined || stopped) return;
    put({ ...last, committed: false });
    begin();
  }, touchMs);
  touch.unref();

  return {
    say(progress) {
      put(progress);
      if (!stopped) pause ??= setTimeout(begin, pauseMs);
    },
    sayNow(progress) {
      put(progress);
      begin();
    },
    async stop() {
      stopped = true;
      clearInterval(touch);
      clearTimeout(pause);
      await writing;
    },
  };
}
