import type { Logger } from '@vortex/observability';

/**
 * Who acquires something pushes its release in the same breath. A stop runs the releases last in, first
 * out, each to its end; one that throws is logged and does not keep the others from running. The second
 * stop joins the first.
 */
export interface ReleaseStack {
  push(name: string, release: () => unknown): void;
  /** False when a release threw. */
  releaseAll(): Promise<boolean>;
  /** Releases on SIGTERM and SIGINT, then ends the process: 0, or 1 when a release threw. */
  releaseOnSignals(): void;
}

export function createReleaseStack(log: Logger): ReleaseStack {
  const releases: { name: string; release: () => unknown }[] = [];
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

  return {
    push: (name, release) => {
      releases.push({ name, release });
    },
    releaseAll,
    releaseOnSignals() {
      const stop = async () => {
        const clean = await releaseAll();
        // Native parts (an index being built) may keep an event loop alive long after their last word.
        process.exit(clean ? 0 : 1);
      };
      process.once('SIGTERM', stop);
      process.once('SIGINT', stop);
    },
  };
}
