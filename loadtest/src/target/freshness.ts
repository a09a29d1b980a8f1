import type { Clock } from '../drive/clock.ts';

const firstPauseMs = 100;
const longestPauseMs = 1_000;
const giveUpMs = 60_000;

/**
 * From the acceptance of a document to the first search that finds it, in milliseconds; null when none did. The pauses
 * grow, so that many slow documents do not become a load of searches; the figure is exact to one pause.
 */
export async function waitUntilFound(options: {
  clock: Clock;
  signal: AbortSignal;
  acceptedMs: number;
  isFound: () => Promise<boolean>;
}): Promise<number | null> {
  const { clock, signal, acceptedMs, isFound } = options;
  for (let pauseMs = firstPauseMs; !signal.aborted; pauseMs = Math.min(longestPauseMs, pauseMs * 1.5)) {
    const found = await isFound().catch(() => false);
    if (found) return clock.now() - acceptedMs;
    if (clock.now() - acceptedMs > giveUpMs) return null;
    await clock.sleepUntil(clock.now() + pauseMs, signal);
  }
  return null;
}
