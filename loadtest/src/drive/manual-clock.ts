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
      const sleeper = { atMs, order, wake };
      sleepers.add(sleeper);
      signal?.addEventListener('abort', wake);

      function wake(): void {
        sleepers.delete(sleeper);
        signal?.removeEventListener('abort', wake);
        resolve();
      }
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
        let first: Sleeper | undefined;
        for (const sleeper of sleepers) if (first === undefined || isEarlier(sleeper, first)) first = sleeper;
        if (first === undefined) throw new Error('nobody sleeps and the work is not done');
        nowMs = Math.max(nowMs, first.atMs);
        first.wake();
      }
    },
  };
}

function isEarlier(a: Sleeper, b: Sleeper): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
