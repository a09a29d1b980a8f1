import { createHash } from 'node:crypto';
import type { Group, Quantile, SloCheck } from '../figures-schema.ts';
import type { Summary } from '../summary-schema.ts';
import { count, duration, percent, rate } from './figures.ts';
import { headlineOf, intervalText } from './headline.ts';
import { shownMarks } from './mark-rows.ts';
import { Markup, markup } from './markup.ts';
import { card, facts, figure, type LegendEntry, stageLegend, table } from './page-parts.ts';
import { pageScript } from './page-script.ts';
import { pageStyle } from './page-style.ts';
import { curvesOf, distribution, limitsOf } from './plots/distribution.ts';
import { heatBand } from './plots/heat-band.ts';
import { errorsOverTime, inFlight, offeredAndAchieved, stagesOverTime } from './plots/over-time.ts';
import { percentilePlot } from './plots/percentile-plot.ts';
import { rateSteps } from './plots/rate-steps.ts';
import { stageStack } from './plots/stage-stack.ts';
import { waterfallPlot } from './plots/waterfall-plot.ts';
import { type RunData, waterfalls } from './run-data.ts';
import { stageLabel } from './stage-names.ts';
import { targetCards, targetPlots } from './target-figures.ts';

// One piece: the page from top to bottom.

/**
 * The report as one page that needs nothing else: plots are SVG in it, the style and the few lines of script are
 * allowed by their hashes, and its policy forbids every request. What came from a server is text, never markup.
 */
export function reportPage(run: RunData): string {
  const { summary } = run;
  const hash = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
  const policy = `default-src 'none'; style-src ${hash(pageStyle)}; script-src ${hash(pageScript)}; base-uri 'none'; form-action 'none'`;
  const page = markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${headlineOf(summary)} · load test ${summary.run.id}</title>
<style>${new Markup(pageStyle)}</style>
</head>
<body>
<svg class="shared" aria-hidden="true"><defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path d="M1 0V6"/></pattern></defs></svg>
<main>
${head(summary)}
${tiles(summary)}
${plots(run)}
${tables(summary)}
${about(summary)}
</main>
<div id="tip" hidden></div>
<script>${new Markup(pageScript)}</script>
</body>
</html>
`;
  return page.text;
}

function head({ run, config, slo, totals, latency }: Summary): Markup {
  const isEmpty = totals.requests === 0;
  const badges: [string, string][] = [
    run.invalid.length > 0 ? ['bad', 'invalid run'] : isEmpty ? ['warn', 'empty run'] : ['good', 'valid run'],
    ...(isEmpty ? [] : slo.checks.map((check) => verdictOf(check, run.invalid.length === 0))),
    ...(run.state === 'interrupted' ? [['warn', 'interrupted'] as [string, string]] : []),
    ['', `${config.mode}${load(config)}`],
    [
      '',
      latency.headline === 'response'
        ? 'response time, from when it was due'
        : 'service time, from when it was sent',
    ],
  ];
  return markup`<header><span>Load test of <strong>${config.url}</strong>, ${run.started_at.slice(0, 19).replace('T', ' ')} UTC</span><button id="theme" type="button" hidden>theme: system</button></header>
<h1>${headlineOf({ run, totals, latency, search: null })}</h1>
<div class="badges">${badges.map(([name, text]) => markup`<span class="badge ${name}">${text}</span>`)}</div>
${run.invalid.length > 0 && markup`<div class="alarm"><strong>These figures do not mean what was asked for.</strong><ul>${run.invalid.map((why) => markup`<li>${why}</li>`)}</ul></div>`}`;
}

/** No verdict on a percentile is sure without an upper end of its interval, and none is good in a run that is not valid. */
function verdictOf({ met, text, unit, high }: SloCheck, isValid: boolean): [string, string] {
  if (met && !isValid) return ['', `${text} met`];
  if (met && unit === 'ms' && high === null) return ['warn', `${text} met, by too few samples`];
  return [met ? 'good' : 'bad', `${text} ${met ? 'met' : 'missed'}`];
}

function load({ mode, concurrency, rate: perSecond, steps }: Summary['config']): string {
  if (mode === 'closed') return `, ${count(concurrency)} in flight`;
  if (steps !== null && steps.length > 0) return `, ${steps.map((one) => rate(one)).join(', ')}/s`;
  return perSecond === null ? '' : `, ${rate(perSecond)}/s`;
}

function tiles({ totals, latency }: Summary): Markup {
  const headline = latency[latency.headline];
  const ofQuantile = (quantile: Quantile) => ({
    value: bracketed(quantile),
    under: intervalText(quantile),
  });
  const offered = totals.offered_per_second;
  const list: { name: string; value: string; under: string; isBad?: boolean }[] = [
    {
      name: 'Throughput',
      value: `${rate(totals.throughput_per_second)} /s`,
      under: offered === null ? 'as fast as answered' : `${rate(offered)} /s offered`,
    },
    { name: 'Total Requests', value: count(totals.requests), under: `in ${duration(totals.duration_ms)}` },
    {
      name: 'Successful',
      value: count(totals.successful),
      under: totals.refused > 0 ? `${count(totals.refused)} found nothing` : '',
    },
    {
      name: 'Failed',
      value: count(totals.failed),
      under: percent(totals.failed_ratio),
      isBad: totals.failed > 0,
    },
    { name: 'P50', ...ofQuantile(headline.p50) },
    { name: 'P95', ...ofQuantile(headline.p95) },
    { name: 'P99', ...ofQuantile(headline.p99) },
    { name: 'P99.9', ...ofQuantile(headline.p999) },
    { name: 'Min', value: duration(headline.min_ms), under: '' },
    { name: 'Average', value: duration(headline.mean_ms), under: '' },
    { name: 'Max', value: duration(headline.max_ms), under: '' },
    {
      name: 'Goodput',
      value: `${rate(totals.goodput_per_second)} /s`,
      under: `${percent(totals.goodput_ratio)} in time`,
    },
  ];
  return markup`<div class="tiles">${list.map(
    ({ name, value, under, isBad }) =>
      markup`<div class="tile"><div class="name">${name}</div><div class="value${isBad === true ? ' bad' : ''}">${value}</div><div class="under">${under}</div></div>`,
  )}</div>`;
}

/** In a table: what too few samples cannot resolve stands in brackets. */
function bracketed({ value_ms, resolved }: Quantile): string {
  return value_ms === null || resolved ? duration(value_ms) : `(${duration(value_ms)})`;
}

const bracketNote = 'In brackets: a percentile that so few samples do not resolve.';

function plots(run: RunData): Markup {
  const { summary } = run;
  const { totals, stages, config } = summary;
  const isOpen = summary.latency.headline === 'response';
  const rows = waterfalls(summary);
  const curves: LegendEntry[] = [
    ...curvesOf(run).map(({ name, label }) => ({ label, line: `line ${name}` })),
    ...(limitsOf(run).length > 0 ? [{ label: 'limit', line: 'limit' }] : []),
  ];
  const failed = [...new Set(summary.errors.map(({ outcome }) => outcome))];
  const explained =
    stages === null
      ? 'Where the time of an answer goes, by the target’s own account.'
      : `Of ${count(stages.requests)} answers. The target’s account explains ${percent(stages.explained_at_median)} of the client’s time at the median and ${percent(stages.explained_in_tail)} in the tail. Hatched: waiting.`;
  return markup`
${figure({
  title: 'Latency over time',
  sub: `Each column is a slice of time, each cell the queries due in it that took so long; the stronger its colour, the more. ${isOpen ? 'Queries are placed by when they were due, so a stall shows all who came into it.' : 'A closed loop waits for its answers: during a stall it asks nothing, and few queries show it.'}`,
  room: 'full',
  draw: (width) => heatBand(run, width),
  legend: [
    { label: 'median of the slice', line: 'line p50' },
    { label: 'P95 of the slice', line: 'line p95' },
    { label: 'few', box: 'h2' },
    { label: 'many', box: 'h6' },
    { label: 'failed', box: 'bad-fill' },
    ...(summary.marks.length > 0 ? [{ label: 'something was done (numbers below)', line: 'fault' }] : []),
  ],
  under: summary.marks.length === 0 ? null : markRows(summary),
})}
${targetPlots(run)}
<div class="pair">
${figure({
  title: 'Distribution',
  sub: `${count(summary.latency[summary.latency.headline].count)} ended well; failures and the warm-up are not among them.`,
  room: 'half',
  draw: (width) => distribution(run, width),
  legend: curves,
})}
${figure({
  title: 'Percentiles',
  sub: 'Each nine has the same room. Marks have their 95 % interval; a hollow one is not resolved by so few samples.',
  room: 'half',
  draw: (width) => percentilePlot(run, width),
  legend: curves,
})}
</div>
${figure({
  title: 'What the time is made of',
  sub: explained,
  room: 'full',
  draw: (width) => stageStack(stages, width),
  legend: stageLegend(stages?.rows.map(({ stage }) => stage) ?? []),
  under: stages === null ? null : stageRows(stages),
})}
<div class="pair">
${figure({
  title: isOpen ? 'Offered and achieved' : 'Sent and achieved',
  sub: isOpen
    ? `Queries a second. ${percent(totals.achieved_ratio)} of what was due was sent.`
    : `Queries a second. A closed loop of ${count(config.concurrency)} offers what it can.`,
  room: 'half',
  draw: (width) => offeredAndAchieved(run, width),
  legend: [
    ...(isOpen ? [{ label: 'due', line: 'line offered' }] : []),
    { label: 'sent', line: 'line sent' },
    { label: 'ended well', line: 'line ok' },
  ],
})}
${figure({
  title: 'In flight',
  sub: `Mean ${rate(totals.in_flight_mean)}; rate × mean latency says ${rate(totals.in_flight_by_law)}.`,
  room: 'half',
  draw: (width) => inFlight(run, width),
})}
${figure({
  title: 'Failures',
  sub: `${count(totals.failed)} of ${count(totals.requests)} queries (${percent(totals.failed_ratio)}), by the second they ended in.`,
  room: 'half',
  draw: (width) => errorsOverTime(run, width),
  legend: failed.map((name) => ({ label: name.replaceAll('_', ' '), box: `f-${name}` })),
})}
${figure({
  title: 'Stages over time',
  sub: 'Mean time of the answers of each second, by stage; colours as above.',
  room: 'half',
  draw: (width) => stagesOverTime(run, width),
})}
</div>
${
  summary.steps.length > 0 &&
  figure({
    title: 'Rate and P99',
    sub:
      summary.search?.sentence ??
      'Each rate that was offered, with its P99 and its 95 % interval; the small mark is the median.',
    room: 'full',
    draw: (width) => rateSteps(run, width),
    legend: [
      { label: 'held', box: 'mark' },
      { label: 'did not hold', box: 'mark missed' },
    ],
    under: stepRows(summary),
  })
}
${figure({
  title: `The slowest ${rows.length === 0 ? '' : rows.length}`.trim(),
  sub: 'Number, when it was due, the replica that answered, the end of its trace id; what it waited for, in the order it happened.',
  room: 'full',
  draw: (width) => waterfallPlot(rows, width),
  legend: [
    ...stageLegend([...new Set(rows.flatMap(({ parts }) => parts?.map(({ stage }) => stage) ?? []))]),
    ...(rows.some(({ lagMs }) => lagMs > 0.05) ? [{ label: 'due, not yet sent', box: 'st-lag waits' }] : []),
  ],
})}`;
}

function stageRows(stages: NonNullable<Summary['stages']>): Markup {
  return table(
    [
      { title: 'stage', cell: ({ stage }) => stageLabel(stage) },
      { title: 'mean', cell: ({ mean_ms }) => duration(mean_ms), isNumber: true, isSpare: true },
      { title: 'P50', cell: ({ p50_ms }) => duration(p50_ms), isNumber: true },
      { title: 'P99', cell: ({ p99_ms }) => duration(p99_ms), isNumber: true },
      { title: 'at the median', cell: ({ share_at_median }) => percent(share_at_median), isNumber: true },
      { title: 'in the tail', cell: ({ share_in_tail }) => percent(share_in_tail), isNumber: true },
    ],
    stages.rows,
  );
}

function stepRows({ steps }: Summary): Markup {
  return table(
    [
      { title: 'rate', cell: (step) => `${rate(step.rate)}/s`, isNumber: true },
      { title: 'for', cell: ({ purpose }) => purpose, isSpare: true },
      { title: 'P50', cell: ({ response }) => bracketed(response.p50), isNumber: true, isSpare: true },
      { title: 'P99', cell: ({ response }) => bracketed(response.p99), isNumber: true },
      {
        title: 'goodput',
        cell: (step) => `${rate(step.goodput_per_second)}/s`,
        isNumber: true,
        isSpare: true,
      },
      { title: 'failed', cell: ({ error_ratio }) => percent(error_ratio), isNumber: true },
      {
        title: 'verdict',
        cell: ({ passed, reasons }) => (passed ? 'held' : reasons.join(', ') || 'did not hold'),
      },
    ],
    steps,
  );
}

function markRows({ marks }: Summary): Markup {
  return table(
    [
      { title: '', cell: ({ number }) => number, isNumber: true },
      { title: 'at', cell: ({ when }) => when, isNumber: true },
      { title: 'what was done', cell: ({ text }) => text, isProse: true },
      { title: 'P95 before', cell: ({ before }) => before, isNumber: true, isSpare: true },
      { title: 'slowest', cell: ({ worst }) => worst, isNumber: true, isSpare: true },
      { title: 'failed', cell: ({ failed }) => failed, isNumber: true },
      { title: 'effect', cell: ({ effect }) => effect },
    ],
    shownMarks(marks),
  );
}

function tables(summary: Summary): Markup {
  const { slo, errors, replicas, cache, tenants, fairness, stream, ingest } = summary;
  const gaps = summary.arrival_gaps.reduce((sum, gap) => sum + gap.count, 0);
  return markup`<div class="pair">
${slo.checks.length > 0 && card('Objectives', null, sloRows(slo.checks))}
${card(
  'How it failed',
  errors.length === 0 ? 'Nothing failed.' : 'By class, status and what was said.',
  errors.length === 0
    ? new Markup('')
    : table(
        [
          { title: 'class', cell: ({ outcome }) => outcome.replaceAll('_', ' ') },
          { title: 'status', cell: ({ status }) => (status === null ? '–' : String(status)), isNumber: true },
          { title: 'what was said', cell: ({ error }) => error, isProse: true },
          { title: 'times', cell: (error) => count(error.count), isNumber: true },
        ],
        errors,
      ),
)}
${replicas.length > 0 && card('By replica', bracketNote, groupRows('replica', replicas))}
${cache.length > 0 && card('By cache', 'Hits and misses are two populations, whose percentiles are not to be pooled.', groupRows('cache', cache))}
${tenants.length > 0 && card('By tenant', fairness === null ? null : `Jain’s fairness of their throughput: ${fairness.toFixed(3)} of 1.`, groupRows('tenant', tenants))}
${
  stream !== null &&
  card(
    'Streams',
    null,
    table(
      [
        { title: '', cell: ({ name }) => name },
        { title: 'samples', cell: ({ latency }) => count(latency.count), isNumber: true },
        { title: 'P50', cell: ({ latency }) => bracketed(latency.p50), isNumber: true },
        { title: 'P95', cell: ({ latency }) => bracketed(latency.p95), isNumber: true, isSpare: true },
        { title: 'P99', cell: ({ latency }) => bracketed(latency.p99), isNumber: true },
      ],
      [
        { name: 'first token', latency: stream.first_token },
        { name: 'between tokens', latency: stream.gap },
      ],
    ),
  )
}
${
  ingest !== null &&
  card(
    'Documents beside the queries',
    `${count(ingest.accepted)} of ${count(ingest.requests)} were accepted${ingest.not_found > 0 ? `; ${count(ingest.not_found)} were not found while the run waited` : ''}.`,
    table(
      [
        { title: '', cell: ({ name }) => name },
        { title: 'samples', cell: ({ latency }) => count(latency.count), isNumber: true },
        { title: 'P50', cell: ({ latency }) => bracketed(latency.p50), isNumber: true },
        { title: 'P99', cell: ({ latency }) => bracketed(latency.p99), isNumber: true },
      ],
      [
        { name: 'until accepted', latency: ingest.accept },
        { name: 'until it could be found', latency: ingest.freshness },
      ],
    ),
  )
}
${
  summary.arrival_gaps.length > 0 &&
  card(
    'Arrivals',
    'Time between two planned requests, by which a plan that comes in bursts would be known.',
    table(
      [
        { title: 'up to', cell: ({ up_to_ms }) => duration(up_to_ms), isNumber: true },
        { title: 'gaps', cell: (gap) => count(gap.count), isNumber: true },
        { title: 'share', cell: (gap) => percent(gap.count / gaps), isNumber: true },
      ],
      summary.arrival_gaps,
    ),
  )
}
${targetCards(summary.target)}
</div>`;
}

function sloRows(checks: readonly SloCheck[]): Markup {
  const shown = (value: number | null, unit: SloCheck['unit']) =>
    unit === 'ms' ? duration(value) : unit === 'ratio' ? percent(value) : `${rate(value)}/s`;
  return table(
    [
      { title: 'objective', cell: ({ text }) => text },
      { title: 'measured', cell: ({ measured, unit }) => shown(measured, unit), isNumber: true },
      { title: 'at most (95 %)', cell: ({ high, unit }) => shown(high, unit), isNumber: true, isSpare: true },
      {
        title: '',
        cell: ({ met }) =>
          markup`<span class="badge ${met ? 'good' : 'bad'}">${met ? 'met' : 'missed'}</span>`,
      },
    ],
    checks,
  );
}

function groupRows(title: string, groups: readonly Group[]): Markup {
  return table(
    [
      { title, cell: ({ name }) => name },
      { title: 'requests', cell: ({ requests }) => count(requests), isNumber: true },
      { title: 'share', cell: ({ share }) => percent(share), isNumber: true, isSpare: true },
      { title: 'failed', cell: ({ failed }) => count(failed), isNumber: true },
      {
        title: 'P50',
        cell: ({ response }) => duration(response.p50.value_ms),
        isNumber: true,
        isSpare: true,
      },
      { title: 'P95', cell: ({ response }) => bracketed(response.p95), isNumber: true, isSpare: true },
      { title: 'P99', cell: ({ response }) => bracketed(response.p99), isNumber: true },
    ],
    groups,
  );
}

function about({ run, config, totals }: Summary): Markup {
  const { host, tool } = run;
  return markup`<div class="pair">
${card('What was run', null, [
  facts([
    ['target', config.url],
    ['mode', `${config.mode}${load(config)}`],
    [
      'length',
      config.requests !== null ? `${count(config.requests)} requests` : duration(config.duration_ms),
    ],
    ['warm-up', `${duration(config.warmup_ms)}, ${count(totals.warmup_requests)} requests in no figure`],
    ['given up after', duration(config.timeout_ms)],
    ['most in flight', count(config.max_in_flight)],
    ['questions', `${count(config.questions.count)}, ${config.questions.source}`],
    ['streamed', config.stream ? 'yes' : 'no'],
    ['cache', config.cache],
    ['collection', config.collection],
    ['top_k', config.top_k === null ? null : count(config.top_k)],
    ['documents among them', config.ingest_share > 0 ? percent(config.ingest_share) : null],
    ['tenants', config.tenants > 0 ? count(config.tenants) : null],
    ['seed', String(config.seed)],
    ['configuration', config.hash],
  ]),
])}
${card('Where, and by what', null, [
  facts([
    ['run', run.id],
    [
      'load tester on',
      `${host.cpus} × ${host.cpu_model}, ${(host.memory_bytes / 2 ** 30).toFixed(0)} GiB, ${host.platform}`,
    ],
    ['Vortex load tester', tool.version],
    ['Node', tool.node],
    ['revision', tool.git_revision],
    ['exit code', String(run.exit_code)],
  ]),
  run.notes.length === 0
    ? new Markup('')
    : markup`<div class="remarks sub"><ul>${run.notes.map((note) => markup`<li>${note}</li>`)}</ul></div>`,
])}
</div>
<footer>Everything in this file is drawn from <code>summary.json</code> and <code>samples.ndjson</code> beside it; it loads nothing and sends nothing.</footer>`;
}
