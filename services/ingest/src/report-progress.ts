import type { Logger } from '@vortex/observability';
import type { LiveView } from '@vortex/queue';
import type { JobProgress, Registry } from '@vortex/registry';

/**
 * Says how far a job is: to the registry, which is asked by everybody, and to the live view in Redis. One write is
 * under way at a time and only the newest waits behind it, so nothing is said out of order; what parsing reports a
 * thousand times a second is said ten times. What is not said harms nothing but the display, so no failure here
 * fails the job.
 *
 * Every `touchMs` the last word is said again: an open job that nobody has touched for a while is taken for lost by
 * the sweeper.
 */
export interface ProgressReporter {
  say(progress: JobProgress): void;
  /** Resolves when what was said last is written. */
  flush(): Promise<void>;
  stop(): void;
}

const pauseMs = 100;

/** Commits are few, and whoever watches sees each of them. */
const isPressing = (progress: JobProgress | undefined) => progress?.committed === true;

export function createProgressReporter(options: {
  registry: Pick<Registry, 'noteProgress'>;
  liveView: Pick<LiveView, 'progress'>;
  jobId: string;
  touchMs: number;
  log: Logger;
}): ProgressReporter {
  const { registry, liveView, jobId, touchMs, log } = options;
  let last: JobProgress | undefined;
  let next: JobProgress | undefined;
  let writing: Promise<void> | undefined;
  let pause: NodeJS.Timeout | undefined;
  let wake = () => {};
  let hurried = false;
  let stopped = false;

  async function write(): Promise<void> {
    while (next !== undefined && !stopped) {
      const said = next;
      next = undefined;
      last = said;
      await registry.noteProgress(jobId, said).catch((error: unknown) => {
        log.warn({ err: error }, 'the registry did not take the progress');
      });
      const { stage, progress, message, etaMs } = said;
      void liveView.progress(jobId, { stage, progress, message, etaMs });
      if (!hurried && !isPressing(next)) await rest();
    }
  }

  function rest(): Promise<void> {
    return new Promise((resolve) => {
      wake = () => {
        clearTimeout(pause);
        resolve();
      };
      pause = setTimeout(resolve, pauseMs);
    });
  }

  function say(progress: JobProgress): void {
    // A commit that was not said yet stays one, whatever is said after it.
    const committed = next?.committed === true || progress.committed === true;
    next = committed ? { ...progress, committed } : progress;
    if (isPressing(next)) wake();
    begin();
  }

  function begin(): void {
    writing ??= write().finally(() => {
      writing = undefined;
      // Said between the writer's last look and here.
      if (next !== undefined && !stopped) begin();
    });
  }

  const touch = setInterval(() => {
    if (last !== undefined && next === undefined) say({ ...last, committed: false });
  }, touchMs);
  touch.unref();

  return {
    say,
    async flush() {
      hurried = true;
      wake();
      while (writing !== undefined) await writing;
      hurried = false;
    },
    stop() {
      stopped = true;
      clearInterval(touch);
      wake();
    },
  };
}
