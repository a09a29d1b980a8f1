import { exponential, randomFor } from './random.ts';

/** When requests are due, fixed before the first is sent: no answer, however late, moves the next arrival. */
export interface Arrival {
  atMs: number;
  /** Index of the rate step, in the modes that have several. */
  step: number | null;
  /** What a replay file says to ask; otherwise the deck of questions decides. */
  query?: string;
}

export interface ArrivalPlan {
  mode: 'constant' | 'poisson';
  /** Requests per second. */
  rate: number;
  fromMs: number;
  /** End of the plan by time, or by a count of arrivals at or after `countFromMs`; at least one is given. */
  untilMs: number;
  requests?: number | null;
  countFromMs?: number;
  step?: number | null;
  seed: number;
}

export function* arrivals(plan: ArrivalPlan): Generator<Arrival> {
  const { mode, rate, fromMs, untilMs, requests = null, countFromMs = fromMs, step = null, seed } = plan;
  const random = randomFor(seed, `arrivals ${step ?? ''}`);
  const gapMs = 1000 / rate;
  let counted = 0;
  let atMs = fromMs;
  for (let n = 0; ; n++) {
    // A product, not a sum: a hundred thousand roundings would make a constant rate a wrong one.
    atMs = mode === 'constant' ? fromMs + n * gapMs : atMs + exponential(random) * gapMs;
    if (atMs >= untilMs) return;
    if (atMs >= countFromMs) counted += 1;
    if (requests !== null && counted > requests) return;
    yield { atMs, step };
  }
}

/**
 * Poisson arrivals of which exactly `rate` × `lengthMs` come, which is what independent uniform moments are. By chance
 * alone, ten seconds at 15/s may bring 12/s; whoever asked for 15/s would measure another load, and a search would find
 * that a rate beyond the limit holds.
 */
export function countedArrivals(options: {
  rate: number;
  fromMs: number;
  lengthMs: number;
  step: number | null;
  seed: number;
}): Arrival[] {
  const { rate, fromMs, lengthMs, step, seed } = options;
  const random = randomFor(seed, `counted ${step ?? ''} ${fromMs}`);
  const count = Math.round((rate * lengthMs) / 1000);
  const moments = Array.from({ length: count }, () => fromMs + random() * lengthMs).sort((a, b) => a - b);
  return moments.map((atMs) => ({ atMs, step }));
}

/** One rate after the other, Poisson arrivals in each; the warm-up runs at the first rate. */
export function steppedArrivals(options: {
  rates: readonly number[];
  warmupMs: number;
  stepMs: number;
  seed: number;
}): Arrival[] {
  const { rates, warmupMs, stepMs, seed } = options;
  const warmup = countedArrivals({ rate: rates[0] ?? 0, fromMs: 0, lengthMs: warmupMs, step: 0, seed });
  return [
    ...warmup,
    ...rates.flatMap((rate, step) =>
      countedArrivals({ rate, fromMs: warmupMs + step * stepMs, lengthMs: stepMs, step, seed }),
    ),
  ];
}
