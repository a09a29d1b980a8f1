import { setTimeout as delay } from 'node:timers/promises';

/** Time as the mock needs it; tests own it. */
export interface Clock {
  /** Epoch milliseconds. */
  now(): number;
  /** Resolves after `ms`; rejects with the signal's reason when it is aborted first. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  async wait(ms, signal) {
    await delay(ms, undefined, { signal });
  },
};
