import type { Logger } from '@vortex/observability';

/**
 * Who acquires something pushes its release in the same breath. A stop runs the releases last in, first
 * out, each to its end; one that throws is logged and does not keep the others from running. The second
 * stop joins the first.
 *
 * Signals: the first SIGTERM or SIGINT stops in order, the second one hurries (whoever pushed a way to do so
 * takes it), the third ends the process where it is, with exit code 1: its jobs then come back as those of a dead worker.
 */
export interface ReleaseStack {
  /** `hurry` makes a release that is under way, or has yet to come, end at once. */
  push(name: string, release: () => unknown, hurry?: () => void): void;
  /** False when a release threw. */
  releaseAll(): Promise<boolean>;
  hurry(): void;
  /** Releases on SIGTERM and SIGINT, then ends the process: 0, or 1 when a release threw. */
  releaseOnSignals(): void;
}

export function createReleaseStack(log: Logger): ReleaseStack {
  const releases: { name: string; release: () => unknown }[] = [];
  const hurries: (() => void)[] = [];
  let releasing: Promise<boolean> | undefined;

  async function releaseInTurn(): Promise<boolean> {
    let clean = true;
    for (let next = releases.pop(); next !== undefined; next = releases.pop()) {
      try {
        await next.release();
      } catch (error) {
        clean = false;
        log.error({ err: error, part: next.name }, 'a part could not be stopped; the others are');
      }
    }
    return clean;
  }
  const releaseAll = (): Promise<boolean> => {
    releasing ??= releaseInTurn();
    return releasing;
  };

  const hurry = (): void => {
    for (const one of hurries) one();
  };

  return {
    push: (name, release, hurry) => {
      releases.push({ name, release });
      if (hurry !== undefined) hurries.push(hurry);
    },
    releaseAll,
    hurry,
    releaseOnSignals() {
      let signals = 0;
      const stop = async () => {
        signals += 1;
        if (signals === 2) hurry();
        if (signals === 3) process.exit(1);
        if (signals > 1) return;
        const clean = await releaseAll();
        // Native parts (an index being built) may keep an event loop alive long after their last word.
        process.exit(clean ? 0 : 1);
      };
      process.on('SIGTERM', stop);
      process.on('SIGINT', stop);
    },
  };
}
