import type { Group, Latency, RateStep } from '../figures-schema.ts';
import type { Mark } from '../plan/marks.ts';
import { cacheOutcomes, type Sample, timesOf } from '../sample-schema.ts';
import { type RunConfig, type Summary, summaryVersion } from '../summary-schema.ts';
import { createLatencyHistogram } from './latency-histogram.ts';
import { judgeMarks } from './recovery.ts';
import { checkSlo, isWithin, type SloTerm } from './slo.ts';
import { stageTable } from './stage-table.ts';
import { timeline } from './timeline.ts';

export interface Finished {
  config: RunConfig;
  slo: readonly SloTerm[];
  /** All of the run, in any order. */
  samples: readonly Sample[];
  /** Where the warm-up ended, on the samples' clock. */
  measuredFromMs: number;
  /** Counted while the run went on, over the measured part. */
  inFlightMean: number;
  run: Omit<Summary['run'], 'exit_code' | 'invalid'>;
  /** What the driver itself knows to be wrong. */
  invalid?: readonly string[];
  marks?: readonly Mark[];
  target?: Summary['target'];
  steps?: readonly RateStep[];
  search?: Summary['search'];
  /** The figures are those of this step alone (the confirmation of a search). */
  judgedStep?: number | null;
}

/** An open run whose load tester was later than this at P99, or sent less than this share, did not do what it was asked. */
export const validity = { lagP99Ms: 25, achievedRatio: 0.98 } as const;

const slowestCount = 20;
const plotted = [0, 10, 25, 50, 75, 90, 95, 97.5, 99, 99.5, 99.9, 99.95, 99.99, 100];

export function summarize(finished: Finished): Summary {
  const { config, slo, samples } = finished;
  const judgedStep = finished.judgedStep ?? null;
  const judged = samples.filter(
    ({ phase, step }) => phase === 'measured' && (judgedStep === null || step === judgedStep),
  );
  const queries = judged.filter(({ kind }) => kind === 'query');
  const good = queries.filter(({ outcome }) => outcome === 'ok');
  const headline = config.mode === 'closed' ? 'service' : 'response';
  const headlineMs = headline === 'service' ? serviceMs : responseMs;
  const latencies = createLatencyHistogram(good.map(headlineMs));
  const response = headline === 'response' ? latencies.summary() : of(good, responseMs);
  const service = headline === 'service' ? latencies.summary() : of(good, serviceMs);
  const sent = judged.filter(({ sent_ms }) => sent_ms !== null);
  const lag = of(sent, lagMs);
  const durationMs = spanMs(queries);
  const perSecond = (count: number) => (durationMs === 0 ? 0 : (count * 1000) / durationMs);
  const isOpen = config.mode !== 'closed';
  // Steps and probes are judged one by one; there, what the target does not sustain is a finding.
  const isRated = isOpen && config.mode !== 'steps' && config.mode !== 'search';
  const achieved = isOpen && judged.length > 0 ? sent.length / judged.length : null;
  const failed = queries.length - good.length;
  const within = good.filter((sample) => isWithin(slo, headlineMs(sample), sample.first_token_ms)).length;
  const streamed = good.filter(({ gaps_ms }) => gaps_ms !== null);
  const firstToken = streamed.length === 0 ? null : of(streamed, ({ first_token_ms }) => first_token_ms ?? 0);
  const checks = checkSlo(slo, {
    latency: latencies.summary(),
    firstToken,
    errorRatio: ratio(failed, queries.length),
    throughputPerSecond: perSecond(good.length),
  });
  const tenants = groups(queries, ({ tenant }) => tenant, headlineMs);
  const seconds = timeline(
    samples.filter(({ kind }) => kind === 'query'),
    { headline, measuredFromMs: finished.measuredFromMs },
  );

  return {
    version: summaryVersion,
    run: {
      ...finished.run,
      invalid: [...(finished.invalid ?? []), ...(isRated ? missedRate(lag, achieved, queries) : [])],
      exit_code: 0,
    },
    config,
    totals: {
      duration_ms: durationMs,
      requests: queries.length,
      successful: good.length,
      failed,
      failed_ratio: ratio(failed, queries.length),
      warmup_requests: samples.filter(({ phase }) => phase === 'warmup').length,
      throughput_per_second: perSecond(good.length),
      offered_per_second: isOpen ? offeredPerSecond(judged) : null,
      achieved_ratio: achieved,
      goodput_per_second: perSecond(within),
      goodput_ratio: ratio(within, queries.length),
      in_flight_mean: finished.inFlightMean,
      in_flight_by_law: (perSecond(sent.length) * (of(sent, serviceMs).mean_ms ?? 0)) / 1000,
      answered: good.filter(({ answered }) => answered !== false).length,
      refused: good.filter(({ answered }) => answered === false).length,
    },
    latency: { headline, response, service, send_lag: lag },
    percentiles: latencies.count === 0 ? [] : percentilePlot(latencies.quantileMs),
    errors: errorTable(judged),
    slo: { checks, met: checks.every(({ met }) => met) },
    stages: stageTable(good.filter(({ cache }) => cache !== 'hit' && cache !== 'shared')),
    replicas: groups(queries, ({ replica }) => replica, headlineMs),
    cache: cacheOutcomes.flatMap((name) => {
      const [found] = groups(queries, ({ cache }) => (cache === name ? name : null), headlineMs);
      const named = queries.filter(({ cache }) => cache !== null).length;
      return found === undefined ? [] : [{ ...found, name, share: ratio(found.requests, named) }];
    }),
    tenants,
    fairness: tenants.length < 2 ? null : jain(tenants.map(({ ok }) => ok)),
    stream: firstToken && {
      first_token: firstToken,
      gap: createLatencyHistogram(streamed.flatMap(({ gaps_ms }) => gaps_ms ?? [])).summary(),
    },
    ingest: ingestFigures(judged.filter(({ kind }) => kind === 'ingest')),
    timeline: seconds,
    arrival_gaps: isOpen ? arrivalGaps(judged) : [],
    target: finished.target ?? null,
    marks: judgeMarks(finished.marks ?? [], seconds),
    steps: [...(finished.steps ?? [])],
    search: finished.search ?? null,
    slowest: good.toSorted((a, b) => headlineMs(b) - headlineMs(a)).slice(0, slowestCount),
  };
}

const responseMs = (sample: Sample) => timesOf(sample)?.responseMs ?? 0;
const serviceMs = (sample: Sample) => timesOf(sample)?.serviceMs ?? 0;
const lagMs = (sample: Sample) => Math.max(0, timesOf(sample)?.lagMs ?? 0);

function of(samples: readonly Sample[], msOf: (sample: Sample) => number): Latency {
  return createLatencyHistogram(samples.map(msOf)).summary();
}

function missedRate(lag: Latency, achieved: number | null, queries: readonly Sample[]): string[] {
  const reasons: string[] = [];
  if ((lag.p99.value_ms ?? 0) > validity.lagP99Ms) {
    const late = `${lag.p99.value_ms?.toFixed(1)} ms late at P99`;
    reasons.push(
      `the load tester itself was ${late} (limit ${validity.lagP99Ms} ms): this machine is too busy`,
    );
  }
  if (achieved !== null && achieved < validity.achievedRatio) {
    const dropped = queries.filter(({ outcome }) => outcome === 'dropped').length;
    const share = `${(achieved * 100).toFixed(1)} % of the planned requests were sent`;
    reasons.push(
      `only ${share}, ${dropped} were dropped at the limit in flight: the target cannot sustain this rate`,
    );
  }
  return reasons;
}

/** First planned to last done. */
function spanMs(samples: readonly Sample[]): number {
  let from = Number.POSITIVE_INFINITY;
  let to = 0;
  for (const { planned_ms, done_ms } of samples) {
    from = Math.min(from, planned_ms);
    to = Math.max(to, done_ms ?? planned_ms);
  }
  return samples.length === 0 ? 0 : to - from;
}

/** Over the gaps, not the requests: n arrivals enclose n − 1 of them. */
function offeredPerSecond(samples: readonly Sample[]): number {
  const planned = samples.map(({ planned_ms }) => planned_ms).sort((a, b) => a - b);
  const span = (planned.at(-1) ?? 0) - (planned[0] ?? 0);
  return span === 0 ? 0 : ((planned.length - 1) * 1000) / span;
}

function groups(
  samples: readonly Sample[],
  nameOf: (sample: Sample) => string | null,
  msOf: (sample: Sample) => number,
): Group[] {
  const byName = Map.groupBy(
    samples.filter((sample) => nameOf(sample) !== null),
    (sample) => nameOf(sample) ?? '',
  );
  const named = [...byName.values()].reduce((sum, { length }) => sum + length, 0);
  return [...byName]
    .sort(([a], [b]) => a.localeCompare(b, 'en', { numeric: true }))
    .map(([name, members]) => {
      const good = members.filter(({ outcome }) => outcome === 'ok');
      return {
        name,
        requests: members.length,
        ok: good.length,
        failed: members.length - good.length,
        share: ratio(members.length, named),
        response: of(good, msOf),
      };
    });
}

function errorTable(samples: readonly Sample[]): Summary['errors'] {
  const found = new Map<string, Summary['errors'][number]>();
  for (const { outcome, status, error, degraded } of samples) {
    if (outcome === 'ok') continue;
    const text = error ?? (degraded.length > 0 ? degraded.join(', ') : outcome);
    const key = `${outcome} ${status} ${text}`;
    const row = found.get(key) ?? { outcome, status, error: text, count: 0 };
    row.count += 1;
    found.set(key, row);
  }
  return [...found.values()].sort((a, b) => b.count - a.count).slice(0, 50);
}

function ingestFigures(ingests: readonly Sample[]): Summary['ingest'] {
  if (ingests.length === 0) return null;
  const accepted = ingests.filter(({ outcome }) => outcome === 'ok');
  const found = accepted.filter(({ freshness_ms }) => freshness_ms !== null);
  return {
    requests: ingests.length,
    accepted: accepted.length,
    accept: of(accepted, serviceMs),
    freshness: of(found, ({ freshness_ms }) => freshness_ms ?? 0),
    not_found: accepted.length - found.length,
  };
}

function percentilePlot(quantileMs: (probability: number) => number | null): Summary['percentiles'] {
  return plotted.flatMap((percentile) => {
    const ms = quantileMs(percentile / 100);
    return ms === null ? [] : [{ percentile, ms }];
  });
}

function arrivalGaps(samples: readonly Sample[]): Summary['arrival_gaps'] {
  const planned = samples.map(({ planned_ms }) => planned_ms).sort((a, b) => a - b);
  const counts = new Map<number, number>();
  for (const [index, at] of planned.entries()) {
    if (index === 0) continue;
    const gap = at - (planned[index - 1] ?? at);
    const upTo = 2 ** Math.ceil(Math.log2(Math.max(gap, 0.125)));
    counts.set(upTo, (counts.get(upTo) ?? 0) + 1);
  }
  return [...counts].sort(([a], [b]) => a - b).map(([up_to_ms, count]) => ({ up_to_ms, count }));
}

/** (Σx)² / (n Σx²): 1 when all get the same, 1/n when one gets all. */
function jain(values: readonly number[]): number {
  const sum = values.reduce((total, value) => total + value, 0);
  const squares = values.reduce((total, value) => total + value * value, 0);
  return squares === 0 ? 1 : (sum * sum) / (values.length * squares);
}

function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}
