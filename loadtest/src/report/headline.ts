import type { Latency, Quantile } from '../figures-schema.ts';
import type { Summary } from '../summary-schema.ts';
import { count, duration, percent, rate } from './figures.ts';

/** What the report and summary.md open with: the run in a sentence, nothing claimed that the run cannot carry. */
export function headlineOf({
  totals,
  latency,
  search,
  run,
}: Pick<Summary, 'totals' | 'latency' | 'search' | 'run'>): string {
  if (search !== null) return capital(search.sentence);
  if (totals.requests === 0) return 'Nothing was measured';
  const { p99, p50, count: size } = latency[latency.headline];
  const failed =
    totals.failed === 0
      ? `none of ${count(totals.requests)} failed`
      : `${count(totals.failed)} of ${count(totals.requests)} failed`;
  if (size === 0) return capital(`${failed}, none ended well`);
  const tail = p99.resolved ? `P99 ${duration(p99.value_ms)}` : `P50 ${duration(p50.value_ms)}`;
  const until = run.state === 'interrupted' ? ' until it was interrupted' : '';
  return `${rate(totals.throughput_per_second)} answers a second, ${tail}, ${failed}${until}`;
}

/** `612 ms`, or that it is not resolved: below its sample size a percentile is the luck of a few. */
export function quantileText({ value_ms, resolved }: Quantile): string {
  if (value_ms === null) return '–';
  return resolved ? duration(value_ms) : `${duration(value_ms)} (not resolved)`;
}

export function intervalText({ value_ms, low_ms, high_ms, resolved }: Quantile): string {
  if (value_ms === null) return 'no sample';
  return resolved ? `${duration(low_ms)} to ${duration(high_ms)}` : 'not resolved: too few';
}

/** The seeds' table, with its labels. */
export function figureRows({ totals, latency }: Summary): [string, string][] {
  const headline: Latency = latency[latency.headline];
  return [
    ['Total Duration', duration(totals.duration_ms)],
    ['Total Requests', count(totals.requests)],
    ['Successful', count(totals.successful)],
    ['Failed', `${count(totals.failed)} (${percent(totals.failed_ratio)})`],
    ['Min', duration(headline.min_ms)],
    ['P50', quantileText(headline.p50)],
    ['P95', quantileText(headline.p95)],
    ['P99', quantileText(headline.p99)],
    ['Max', duration(headline.max_ms)],
    ['Average', duration(headline.mean_ms)],
    ['Throughput', `${rate(totals.throughput_per_second)} req/s`],
  ];
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
