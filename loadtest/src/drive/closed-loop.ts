import type { PlannedRequest } from '../plan/deal-requests.ts';
import type { Clock } from './clock.ts';
import type { RequestRunner } from './request-runner.ts';

/**
 * Keeps a number of requests in flight: each asker sends its next question when it has its answer. A target that stalls
 * is asked less, so a closed loop measures capacity and hides pauses; the open modes do the opposite.
 *
 * What was asked before the end is waited for and counted: cutting it off would leave the slowest out.
 */
export async function closedLoop(options: {
  clock: Clock;
  runner: RequestRunner;
  deal: () => PlannedRequest;
  signal: AbortSignal;
  concurrency: number;
  warmupMs: number;
  /** After the warm-up; null: no end by time. */
  durationMs: number | null;
  /** Measured requests; null: no end by number. */
  requests: number | null;
}): Promise<void> {
  const { clock, runner, deal, signal, concurrency, warmupMs, durationMs, requests } = options;
  const beganMs = clock.now();
  const measuredFromMs = beganMs + warmupMs;
  const endMs = durationMs === null ? Number.POSITIVE_INFINITY : measuredFromMs + durationMs;
  let measured = 0;

  async function ask(): Promise<void> {
    for (;;) {
      const nowMs = clock.now();
      if (signal.aborted || nowMs >= endMs) return;
      const isMeasured = nowMs >= measuredFromMs;
      if (isMeasured && requests !== null && measured >= requests) return;
      if (isMeasured) measured += 1;
      const phase = isMeasured ? 'measured' : 'warmup';
      await runner.send(deal(), { plannedMs: nowMs, phase, step: null });
    }
  }

  await Promise.all(Array.from({ length: concurrency }, ask));
  await runner.settled();
}
