import type { Clock } from '../drive/clock.ts';
import { openLoop } from '../drive/open-loop.ts';
import type { RequestRunner } from '../drive/request-runner.ts';
import type { RateStep } from '../figures-schema.ts';
import { judgeStep } from '../measure/rate-step.ts';
import type { SloTerm } from '../measure/slo.ts';
import { countedArrivals } from '../plan/arrivals.ts';
import type { PlannedRequest } from '../plan/deal-requests.ts';

/** What an upper bound of P99 needs; a step at a low rate goes on until it has them, up to four times its length. */
const samplesForP99 = 368;
const longestStretch = 4;
const settleMs = 2_000;

/** Loads the target at one rate and judges it. Each probe has arrivals of its own, from the seed and its number. */
export function createProbe(options: {
  clock: Clock;
  runner: RequestRunner;
  deal: () => PlannedRequest;
  signal: AbortSignal;
  slo: readonly SloTerm[];
  stepMs: number;
  maxInFlight: number;
  seed: number;
}): (rate: number, purpose: RateStep['purpose']) => Promise<RateStep | null> {
  const { clock, runner, slo, stepMs, seed, ...loop } = options;
  let step = -1;
  return async (rate, purpose) => {
    step += 1;
    // The doubling looks for the order of magnitude only.
    const neededMs = purpose === 'doubling' ? 0 : ((samplesForP99 * 1.1) / rate) * 1000;
    // A rate a few per cent too high shows only after a while: what decides the result is looked at twice as long.
    const leastMs = purpose === 'confirm' || purpose === 'above' ? 2 * stepMs : stepMs;
    const measuredMs = Math.max(leastMs, Math.min(longestStretch * stepMs, neededMs));
    const offsetMs = clock.now() + 50;
    // The settling and the measured time are counted apart, or the one could borrow from the other.
    const plan = [
      ...countedArrivals({ rate, fromMs: 0, lengthMs: settleMs, step, seed }),
      ...countedArrivals({ rate, fromMs: settleMs, lengthMs: measuredMs, step, seed }),
    ];
    const inFlightLimit = hopelessAt(rate, slo);
    let isHopeless = false;
    await openLoop({
      ...loop,
      clock,
      runner,
      arrivals: plan,
      offsetMs,
      measuredFromMs: offsetMs + settleMs,
      // Little's law: so many in flight at this rate means that they wait twice as long as they may.
      isOver: () => {
        isHopeless ||= runner.inFlight > inFlightLimit;
        return isHopeless;
      },
    });
    if (loop.signal.aborted) return null;
    const samples = runner.samples.filter((sample) => sample.step === step);
    const judged = judgeStep({ samples, slo, step, rate, purpose });
    if (!isHopeless) return judged;
    return {
      ...judged,
      passed: false,
      reasons: [...judged.reasons, `more than ${inFlightLimit.toFixed(0)} in flight`],
    };
  };
}

function hopelessAt(rate: number, slo: readonly SloTerm[]): number {
  const limits = slo.filter(({ name }) => /^p\d+$/.test(name)).map(({ limit }) => limit);
  return limits.length === 0
    ? Number.POSITIVE_INFINITY
    : Math.max(20, (2 * rate * Math.max(...limits)) / 1000);
}
