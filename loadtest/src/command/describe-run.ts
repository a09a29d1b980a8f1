import type { Group, Latency, Quantile } from '../figures-schema.ts';
import { slowestOf } from '../measure/stage-table.ts';
import { shownMarks } from '../report/mark-rows.ts';
import { stageLabel } from '../report/stage-names.ts';
import type { RunConfig, Summary } from '../summary-schema.ts';
import { columns, ms, percent } from './terminal-table.ts';

/** How many samples a quantile needs before its 95 % interval has an upper end. */
const needed = { P50: 6, P95: 72, P99: 368, 'P99.9': 3688 } as const;

export function describeConfig(config: RunConfig): string {
  const load = {
    closed: `closed loop, ${config.concurrency} in flight`,
    constant: `${config.rate} requests/s at a constant rate`,
    poisson: `${config.rate} requests/s, Poisson arrivals`,
    steps: `steps of ${config.steps?.join(', ')} requests/s, ${config.step_duration_ms / 1000} s each`,
    replay: 'replay of recorded arrivals',
    search: `search for the highest rate with ${config.slo}`,
  }[config.mode];
  const length = [
    config.requests === null ? '' : `, ${config.requests} requests`,
    config.duration_ms === null ? '' : `, ${config.duration_ms / 1000} s`,
    config.warmup_ms === 0 ? '' : ` after ${config.warmup_ms / 1000} s of warm-up`,
  ].join('');
  return `${config.url}/query: ${load}${length}, seed ${config.seed}`;
}

/** What is printed when a run has ended; the first table has the labels that people look for. */
export function describeRun(summary: Summary): string {
  const { latency, totals, run } = summary;
  const headline = latency[latency.headline];
  const lines: string[] = ['', describeConfig(summary.config), ''];
  lines.push(
    ...columns([
      ['Total Duration', `${(totals.duration_ms / 1000).toFixed(2)} s`],
      ['Total Requests', `${totals.requests}`],
      ['Successful', `${totals.successful}`],
      ['Failed', `${totals.failed} (${(totals.failed_ratio * 100).toFixed(2)} %)`],
      ['Min', ms(headline.min_ms)],
      ['P50', ms(headline.p50.value_ms)],
      ['P95', ms(headline.p95.value_ms)],
      ['P99', ms(headline.p99.value_ms)],
      ['Max', ms(headline.max_ms)],
      ['Average', ms(headline.mean_ms)],
      ['Throughput', `${totals.throughput_per_second.toFixed(2)} req/s`],
    ]).map((line) => withInterval(line, headline)),
  );
  if (summary.config.mode !== 'closed') lines.push('', ...openFigures(summary));
  if (summary.errors.length > 0) {
    lines.push('', 'Failures');
    lines.push(
      ...columns(
        summary.errors
          .slice(0, 12)
          .map(({ outcome, status, error, count }) => [
            `  ${outcome}`,
            `${count}`,
            `${status ?? '-'} ${error}`,
          ]),
      ),
    );
  }
  lines.push(...stageLines(summary));
  lines.push(...groupLines('Replicas', summary.replicas));
  // All of them passing the caches by, as they do by default, is no news.
  if (summary.cache.some(({ name }) => name !== 'bypass')) lines.push(...groupLines('Cache', summary.cache));
  lines.push(...groupLines('Tenants', summary.tenants));
  if (summary.fairness !== null) lines.push(`  fairness (Jain) ${summary.fairness.toFixed(3)}`);
  if (summary.stream !== null) {
    lines.push('', 'Streams');
    lines.push(
      ...columns([
        latencyRow('  first token', summary.stream.first_token),
        latencyRow('  gap', summary.stream.gap),
      ]),
    );
  }
  if (summary.ingest !== null) {
    const { ingest } = summary;
    lines.push(
      '',
      `Ingest: ${ingest.accepted} of ${ingest.requests} accepted, ${ingest.not_found} not found in time`,
    );
    lines.push(
      ...columns([latencyRow('  accepted', ingest.accept), latencyRow('  freshness', ingest.freshness)]),
    );
  }
  lines.push(...markLines(summary));
  lines.push(...targetLines(summary));
  lines.push(...stepLines(summary));
  lines.push('', ...verdictLines(summary));
  for (const note of run.notes) lines.push(`note: ${note}`);
  return lines.join('\n');
}

/** `P99   812 ms   (95 %: 790 to 841 ms)`, or that there are too few samples to say. */
function withInterval(line: string, headline: Latency): string {
  const name = (['P50', 'P95', 'P99'] as const).find((label) => line.startsWith(label));
  if (name === undefined) return line;
  const quantile = { P50: headline.p50, P95: headline.p95, P99: headline.p99 }[name];
  return `${line}   ${interval(quantile, headline.count, needed[name])}`;
}

export function interval(quantile: Quantile, count: number, samplesNeeded: number): string {
  if (quantile.resolved) return `(95 %: ${ms(quantile.low_ms)} to ${ms(quantile.high_ms)})`;
  return `(not resolved: ${count} of ${samplesNeeded} samples)`;
}

function openFigures(summary: Summary): string[] {
  const { latency, totals } = summary;
  return [
    ...columns([
      ['', 'P50', 'P95', 'P99', 'Max'],
      latencyRow('response (planned to done)', latency.response),
      latencyRow('service (sent to done)', latency.service),
      latencyRow('send lag (planned to sent)', latency.send_lag),
    ]),
    `offered ${totals.offered_per_second?.toFixed(1)}/s, sent ${percent(totals.achieved_ratio ?? 0)} of it`,
  ];
}

function stageLines({ stages }: Summary): string[] {
  if (stages === null) return [];
  const slowest = `the slowest ${slowestOf(stages.requests)}`;
  return [
    '',
    `Where the client's time went (${stages.requests} answers, cache hits apart)`,
    ...columns([
      ['', 'mean', 'P99', 'median', '', 'slowest', ''],
      ...stages.rows.map((row) => [
        `  ${stageLabel(row.stage)}`,
        ms(row.mean_ms),
        ms(row.p99_ms),
        ms(row.at_median_ms),
        percent(row.share_at_median),
        ms(row.in_tail_ms),
        percent(row.share_in_tail),
      ]),
    ]),
    `  explained: ${percent(stages.explained_at_median)} at the median, ${percent(stages.explained_in_tail)} in ${slowest}`,
    `  without queue waits: P50 ${ms(stages.without_queue_waits.p50.value_ms)}, P99 ${ms(stages.without_queue_waits.p99.value_ms)}`,
  ];
}

function groupLines(title: string, groups: readonly Group[]): string[] {
  if (groups.length === 0) return [];
  return [
    '',
    ...columns([
      [title, 'requests', 'share', 'failed', 'P50', 'P95', 'P99'],
      ...groups.map(({ name, requests, share, failed, response }) => [
        `  ${name}`,
        `${requests}`,
        percent(share),
        `${failed}`,
        ms(response.p50.value_ms),
        ms(response.p95.value_ms),
        `${ms(response.p99.value_ms)}${response.p99.resolved ? '' : ' (not resolved)'}`,
      ]),
    ]),
  ];
}

function markLines({ marks }: Summary): string[] {
  if (marks.length === 0) return [];
  return [
    '',
    'What was done meanwhile',
    ...columns([
      ['', 'at', 'P95 before', 'slowest', 'failed', ''],
      ...shownMarks(marks).map(({ when, text, before, worst, failed, effect }) => [
        `  ${text}`,
        when,
        before,
        worst,
        failed,
        effect,
      ]),
    ]),
  ];
}

function targetLines({ target }: Summary): string[] {
  const shown = target?.series.filter(({ max }) => max > 0) ?? [];
  if (shown.length === 0) return [];
  return [
    '',
    'What the target showed meanwhile',
    ...columns([
      ['', '', 'mean', 'most'],
      ...shown
        .slice(0, 20)
        .map(({ name, label, mean, max }) => [
          `  ${name}`,
          label ?? '',
          mean.toFixed(2),
          max.toFixed(max < 10 ? 2 : 0),
        ]),
    ]),
  ];
}

function latencyRow(name: string, latency: Latency): string[] {
  return [
    name,
    ms(latency.p50.value_ms),
    ms(latency.p95.value_ms),
    `${ms(latency.p99.value_ms)}${latency.p99.resolved ? '' : ' (not resolved)'}`,
    ms(latency.max_ms),
  ];
}

function stepLines({ steps, search }: Summary): string[] {
  if (steps.length === 0) return [];
  return [
    '',
    ...columns([
      ['rate/s', 'what for', 'answered/s', 'good/s', 'P50', 'P99', 'failed', 'verdict'],
      ...steps.map((step) => [
        step.rate.toFixed(1),
        step.purpose,
        step.throughput_per_second.toFixed(1),
        step.goodput_per_second.toFixed(1),
        ms(step.response.p50.value_ms),
        ms(step.response.p99.value_ms),
        percent(step.error_ratio),
        step.passed ? 'holds' : step.reasons.join('; '),
      ]),
    ]),
    ...(search === null ? [] : ['', search.sentence]),
  ];
}

function verdictLines({ run, slo, totals, search }: Summary): string[] {
  const lines: string[] = [];
  if (search === null) {
    for (const { text, measured, unit, met } of slo.checks) {
      const value =
        measured === null
          ? 'no figure'
          : unit === 'ms'
            ? ms(measured)
            : unit === 'ratio'
              ? percent(measured)
              : `${measured.toFixed(1)}/s`;
      lines.push(`${met ? 'met   ' : 'MISSED'} ${text}: ${value}`);
    }
    lines.push(
      `within the limits: ${percent(totals.goodput_ratio)} of all requests, ${totals.goodput_per_second.toFixed(1)}/s`,
    );
  }
  if (run.state === 'complete') {
    lines.push(
      `Little's law: ${totals.in_flight_mean.toFixed(2)} in flight on average as counted, ${totals.in_flight_by_law.toFixed(2)} as rate × latency`,
    );
  }
  for (const reason of run.invalid) lines.push(`NOT VALID: ${reason}`);
  if (run.state === 'interrupted') lines.push('Interrupted: the figures are of what was done until then.');
  return lines;
}
