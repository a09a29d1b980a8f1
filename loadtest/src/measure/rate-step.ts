import type { RateStep } from '../figures-schema.ts';
import { type Sample, timesOf } from '../sample-schema.ts';
import { greatest, least } from './extremes.ts';
import { createLatencyHistogram } from './latency-histogram.ts';
import { checkSlo, isWithin, type SloTerm } from './slo.ts';
import { growth } from './slope.ts';
import { validity } from './summarize.ts';

/**
 * Does the target hold this rate? Judged by the upper end of each interval, on the measured samples of the step:
 *
 *   - every objective holds;
 *   - the load tester sent what was planned (how late it was is within the response times);
 *   - the number in flight does not grow: a queue that grows makes any latency figure one of the step's length.
 */
export function judgeStep(options: {
  samples: readonly Sample[];
  slo: readonly SloTerm[];
  step: number;
  rate: number;
  purpose: RateStep['purpose'];
}): RateStep {
  const { slo, step, rate, purpose } = options;
  const samples = options.samples.filter(({ phase, kind }) => phase === 'measured' && kind === 'query');
  const good = samples.filter(({ outcome }) => outcome === 'ok');
  const sent = samples.filter(({ sent_ms }) => sent_ms !== null);
  const responseMs = (sample: Sample) => timesOf(sample)?.responseMs ?? 0;
  const response = createLatencyHistogram(good.map(responseMs)).summary();
  const streamed = good.filter(({ first_token_ms }) => first_token_ms !== null);
  const firstToken = createLatencyHistogram(
    streamed.map(({ first_token_ms }) => first_token_ms ?? 0),
  ).summary();
  const lags = createLatencyHistogram(sent.map((sample) => Math.max(0, timesOf(sample)?.lagMs ?? 0)));
  const from = least(samples.map(({ planned_ms }) => planned_ms));
  const planEnd = greatest(samples.map(({ planned_ms }) => planned_ms));
  // Answers that came while the plan ran, whenever they were asked for: what comes behind its end belongs to no second of it.
  const seconds = samples.length === 0 ? 0 : (planEnd - from) / 1000;
  const perSecond = (count: number) => (seconds === 0 ? 0 : count / seconds);
  const cameInTime = ({ outcome, kind, done_ms }: Sample) =>
    outcome === 'ok' && kind === 'query' && done_ms !== null && done_ms >= from && done_ms <= planEnd;
  const came = options.samples.filter(cameInTime);
  const share = (count: number) => (samples.length === 0 ? 0 : count / samples.length);
  const within = came.filter((sample) => isWithin(slo, responseMs(sample), sample.first_token_ms)).length;
  const errorRatio = share(samples.length - good.length);
  const lagP99 = lags.quantileMs(0.99);
  const achieved = share(sent.length);

  const reasons = checkSlo(
    slo,
    {
      latency: response,
      firstToken: streamed.length === 0 ? null : firstToken,
      errorRatio,
      throughputPerSecond: perSecond(came.length),
    },
    true,
  )
    .filter(({ met }) => !met)
    .map(({ text }) => `not ${text}`);
  if (achieved < validity.achievedRatio) reasons.push(`only ${(achieved * 100).toFixed(1)} % sent`);
  // With those of the settling time: from an empty start, any step would seem to grow.
  const underWay = options.samples.filter(({ sent_ms }) => sent_ms !== null);
  const levels = levelsInFlight(underWay, from, planEnd);
  const meanLevel = levels.reduce((sum, { level }) => sum + level, 0) / Math.max(1, levels.length);
  const { perSecond: slope, isSignificant } = growth(levels);
  const grown = slope * ((planEnd - from) / 1000);
  const growing = isSignificant && slope > rate * negligibleGrowth && grown > Math.max(5, meanLevel / 2);
  if (growing) reasons.push('in flight grows');
  return {
    step,
    rate,
    purpose,
    offered: samples.length,
    achieved_ratio: achieved,
    throughput_per_second: perSecond(came.length),
    goodput_per_second: perSecond(within),
    error_ratio: errorRatio,
    dropped: samples.length - sent.length,
    response,
    lag_p99_ms: lagP99,
    in_flight_slope: slope,
    growing,
    passed: samples.length > 0 && reasons.length === 0,
    reasons: samples.length === 0 ? ['nothing was sent'] : reasons,
  };
}

/** Of the rate: what is sent beyond what is answered, when the target falls behind by so little that the wait is not seen. */
const negligibleGrowth = 0.02;

/** The number in flight, four times a second, from the first to the last planned moment. */
function levelsInFlight(
  sent: readonly Sample[],
  fromMs: number,
  toMs: number,
): { atSeconds: number; level: number }[] {
  const changes = sent.flatMap(({ sent_ms, done_ms }) => [
    { atMs: sent_ms ?? 0, by: 1 },
    { atMs: done_ms ?? 0, by: -1 },
  ]);
  changes.sort((a, b) => a.atMs - b.atMs);
  const levels: { atSeconds: number; level: number }[] = [];
  let next = 0;
  let level = 0;
  for (let atMs = fromMs; atMs <= toMs; atMs += 250) {
    for (let change = changes[next]; change !== undefined && change.atMs <= atMs; change = changes[next]) {
      level += change.by;
      next += 1;
    }
    levels.push({ atSeconds: atMs / 1000, level });
  }
  return levels;
}
