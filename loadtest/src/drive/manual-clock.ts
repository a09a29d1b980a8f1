import { setImmediate as turn } from 'node:timers/promises';
import type { Clock } from './clock.ts';

/** A clock for tests: time stands still until everybody sleeps, then jumps to whoever is to wake first. */
export interface ManualClock extends Clock {
  /** Runs until the work is done. */
  run<Result>(work: Promise<Result>): Promise<Result>;
}

interface Sleeper {
  atMs: number;
  order: number;
  wake: () => void;
}

export function createManualClock(): ManualClock {
  let nowMs = 0;
  let order = 0;
  const sleepers = new Set<Sleeper>();

  function sleepUntil(atMs: number, signal?: AbortSignal): Promise<void> {
    if (atMs <= nowMs || signal?.aborted === true) return Promise.resolve();
    return new Promise((resolve) => {
      order += 1;
      const sleeper = { atMs, order, wake: resolve };
      sleepers.add(sleeper);
      signal?.addEventListener('abort', () => {
        sleepers.delete(sleeper);
        resolve();
      });
    });
  }

  return {
    now: () => nowMs,
    sleepUntil,
    async run(work) {
      let isDone = false;
      const finish = () => {
        isDone = true;
      };
      work.then(finish, finish);
      for (;;) {
        // Whoever was woken goes on in microtasks; when the turn comes, everybody sleeps again.
        await turn();
        if (isDone) return work;
        const [first] = [...sleepers].sort((a, b) => a.atMs - b.atMs || a.order - b.order);
        if (first === undefined) throw new Error('nobody sleeps and the work is not done');
        sleepers.delete(first);
        nowMs = Math.max(nowMs, first.atMs);
        first.wake();
      }
    },
  };
}
