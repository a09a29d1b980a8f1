import type { Arrival } from '../plan/arrivals.ts';
import type { PlannedRequest } from '../plan/deal-requests.ts';
import type { Clock } from './clock.ts';
import type { RequestRunner } from './request-runner.ts';

/**
 * Sends every request when the plan says so and never waits for an answer. When the most that may be in flight is, the
 * arrival is dropped and counted as a failure: without a limit a stalled target would eat the load tester's memory, and
 * with a silent one the rate would not be what the report says.
 */
export async function openLoop(options: {
  clock: Clock;
  runner: RequestRunner;
  deal: () => PlannedRequest;
  signal: AbortSignal;
  arrivals: Iterable<Arrival>;
  maxInFlight: number;
  measuredFromMs: number;
  /** The plan's zero on the clock. */
  offsetMs?: number;
  /** Asked at each arrival: true ends the plan there (a search has seen enough). */
  isOver?: () => boolean;
}): Promise<void> {
  const { clock, runner, deal, signal, maxInFlight, measuredFromMs, offsetMs = 0, isOver } = options;
  for (const { atMs, step, query } of options.arrivals) {
    const plannedMs = offsetMs + atMs;
    if (clock.now() < plannedMs) await clock.sleepUntil(plannedMs, signal);
    if (signal.aborted || isOver?.() === true) break;
    const dealt = deal();
    const request = query === undefined ? dealt : { ...dealt, question: { query } };
    const due = {
      plannedMs,
      phase: plannedMs >= measuredFromMs ? ('measured' as const) : ('warmup' as const),
      step,
    };
    if (runner.inFlight >= maxInFlight) runner.drop(request, due);
    else void runner.send(request, due);
  }
  await runner.settled();
}
