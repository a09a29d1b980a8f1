import { setTimeout as delay } from 'node:timers/promises';

/** The one clock of a run, in milliseconds since it began; monotonic. Tests move theirs by hand. */
export interface Clock {
  now(): number;
  /** Resolves at the given moment, or at once when it has passed or `signal` is aborted. Never rejects. */
  sleepUntil(atMs: number, signal?: AbortSignal): Promise<void>;
}

export function createClock(): Clock {
  const startedAt = performance.now();
  const now = () => performance.now() - startedAt;
  return {
    now,
    async sleepUntil(atMs, signal) {
      // A timer may fire a fraction of a millisecond early.
      for (let left = atMs - now(); left > 0 && signal?.aborted !== true; left = atMs - now()) {
        await delay(left, undefined, signal && { signal }).catch(() => {});
      }
    },
  };
}
