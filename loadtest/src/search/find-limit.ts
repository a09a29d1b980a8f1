import type { RateStep } from '../figures-schema.ts';
import type { Summary } from '../summary-schema.ts';

/**
 * The highest rate that holds:
 *
 *   doubling ── holds ──► double the rate               until one fails (or `maxRate` holds)
 *      └────── fails ───► bisection between the two     until they are within `tolerance`
 *   bisection ──────────► confirm at the rate found
 *   confirm ── holds ───► above: 1.1 × that rate        must fail, and the rate is found
 *   a confirmation that fails, or a tenth more that holds: some verdict was wrong; again from there, in steps of a quarter
 *
 * One probe may be unlucky, and an unlucky one near the limit would send the bisection to the wrong half; so a verdict
 * needs two equal votes. The doubling asks for a second vote only when the first one fails.
 */
export interface LimitSearch {
  startRate: number;
  maxRate: number;
  /** Ratio of failed to held rate at which the bisection stops, less one. */
  tolerance: number;
  /** Loads the target at that rate. Null: interrupted. */
  probe: (rate: number, purpose: RateStep['purpose']) => Promise<RateStep | null>;
  note: (line: string) => void;
}

export interface FoundLimit {
  foundRate: number | null;
  failedRate: number | null;
  confirmed: boolean;
  /** The step whose figures are the run's: the last confirmation that held. */
  confirmStep: number | null;
  steps: RateStep[];
}

const mostRounds = 4;
/** The lowest rate that is tried is this part of the first. */
const lowest = 16;

export async function findLimit({
  startRate,
  maxRate,
  tolerance,
  probe,
  note,
}: LimitSearch): Promise<FoundLimit> {
  const steps: RateStep[] = [];
  let held = null as number | null;
  let failed = null as number | null;
  const found = (confirmStep: number | null): FoundLimit => ({
    foundRate: held,
    failedRate: failed,
    confirmed: confirmStep !== null,
    confirmStep,
    steps,
  });

  /** Null: interrupted. */
  async function vote(
    rate: number,
    purpose: RateStep['purpose'],
    trustsOneHold: boolean,
  ): Promise<RateStep | null> {
    const votes: RateStep[] = [];
    for (;;) {
      const step = await probe(rate, purpose);
      if (step === null) return null;
      steps.push(step);
      votes.push(step);
      note(describeStep(step));
      const holds = votes.filter(({ passed }) => passed);
      const fails = votes.filter(({ passed }) => !passed);
      if (holds.length === 2 || (trustsOneHold && votes.length === 1 && holds.length === 1))
        return holds.at(-1) ?? step;
      if (fails.length === 2) return fails.at(-1) ?? step;
    }
  }

  /** From a rate upwards until one fails, or downwards until one holds. False: interrupted. */
  async function bracket(from: number, factor: number): Promise<boolean> {
    for (let rate = from; failed === null && (held === null || held < maxRate); rate *= factor) {
      const tried = Math.min(maxRate, rate);
      const step = await vote(tried, 'doubling', true);
      if (step === null) return false;
      if (step.passed) held = tried;
      else failed = tried;
    }
    for (let rate = from / factor; held === null && rate >= startRate / lowest; rate /= factor) {
      const step = await vote(rate, 'doubling', true);
      if (step === null) return false;
      if (step.passed) held = rate;
      else failed = rate;
    }
    return true;
  }

  async function bisect(): Promise<boolean> {
    while (held !== null && failed !== null && failed / held > 1 + tolerance) {
      const rate: number = Math.sqrt(held * failed);
      const step = await vote(rate, 'bisection', false);
      if (step === null) return false;
      if (step.passed) held = rate;
      else failed = rate;
    }
    return true;
  }

  let from = startRate;
  let factor = 2;
  for (let round = 0; round < mostRounds; round++) {
    if (!(await bracket(from, factor)) || !(await bisect()) || held === null) return found(null);
    const confirm = await vote(held, 'confirm', true);
    if (confirm === null) return found(null);
    // What the confirmation does not bear out was a wrong turn further up: the bracket is sought anew from here.
    factor = 1.25;
    from = held;
    if (!confirm.passed) {
      failed = held;
      held = null;
      continue;
    }
    if (failed === null) return found(confirm.step);
    const above: RateStep | null = await vote(held * 1.1, 'above', false);
    if (above === null) return found(null);
    if (!above.passed) {
      failed = Math.min(failed, held * 1.1);
      return found(confirm.step);
    }
    held *= 1.1;
    from = held * factor;
    failed = null;
  }
  return found(null);
}

function describeStep({ rate, purpose, response, passed, reasons }: RateStep): string {
  const p99 = response.p99.value_ms === null ? 'no answer' : `P99 ${response.p99.value_ms.toFixed(0)} ms`;
  return `${purpose} ${rate.toFixed(1)}/s: ${p99}, ${passed ? 'holds' : reasons.join('; ')}`;
}

export function searchResultOf(limit: FoundLimit, sloText: string): NonNullable<Summary['search']> {
  const { foundRate, failedRate, confirmed, steps } = limit;
  const knee = steps
    .filter(({ passed, response }) => passed && (response.mean_ms ?? 0) > 0)
    .toSorted((a, b) => powerOf(b) - powerOf(a))[0];
  return {
    found_rate: foundRate,
    failed_rate: failedRate,
    knee_rate: knee?.rate ?? null,
    confirmed,
    sentence: sentence(limit, sloText, knee?.rate ?? null),
  };
}

/** Kleinrock's power: the best trade of rate against latency. */
function powerOf({ rate, response }: RateStep): number {
  return rate / (response.mean_ms ?? Number.POSITIVE_INFINITY);
}

function sentence(
  { foundRate, failedRate, confirmed }: FoundLimit,
  sloText: string,
  knee: number | null,
): string {
  const objective = sloText
    .split(',')
    .map((term) =>
      term
        .trim()
        .replace(/^p(\d+)\s*<=?\s*/, 'P$1 ≤ ')
        .replace(/^err\s*<=?\s*/, 'errors ≤ '),
    )
    .map((term) => term.replace(/(\d)(ms|s)$/, '$1 $2').replace(/(\d)%$/, '$1 %'))
    .join(', ');
  if (foundRate === null)
    return `This stack does not even hold ${failedRate?.toFixed(2)} queries/s at ${objective}.`;
  const bound = failedRate === null && confirmed ? ' or more (the highest rate tried)' : '';
  const doubt = confirmed ? '' : ' (not confirmed)';
  const kneeText = knee === null ? '' : ` Best rate for its latency: ${knee.toFixed(1)}/s.`;
  return `This stack holds ${foundRate.toFixed(1)} queries/s${bound} at ${objective}${doubt}.${kneeText}`;
}
