import { createHash } from 'node:crypto';
import { describe, expect, it, test } from 'vitest';
import { exampleConfig, exampleRun } from '../fixtures/example-run.ts';
import { summarize } from '../measure/summarize.ts';
import type { Sample } from '../sample-schema.ts';
import type { Summary } from '../summary-schema.ts';
import { distribution } from './plots/distribution.ts';
import { errorsOverTime, inFlight, offeredAndAchieved } from './plots/over-time.ts';
import { percentilePlot } from './plots/percentile-plot.ts';
import { reportPage } from './report-page.ts';
import { runData } from './run-data.ts';

const pageOf = ({ summary, samples }: { summary: Summary; samples: readonly Sample[] }) =>
  reportPage(runData(summary, samples));

const titles = [
  ...[
    'Latency over time',
    'Distribution',
    'Percentiles',
    'What the time is made of',
    'In flight',
    'Failures',
  ],
  ...['Stages over time', 'How it failed', 'What was run', 'Where, and by what'],
];

/** A run of these samples only. */
function runOf(samples: Sample[], over: Parameters<typeof exampleConfig>[0] = {}) {
  const { run } = exampleRun().summary;
  const summary = summarize({
    config: exampleConfig(over),
    slo: [{ text: 'p99<3s', name: 'p99', limit: 3_000 }],
    samples,
    measuredFromMs: 0,
    inFlightMean: 0,
    run,
  });
  return { summary, samples };
}

function hostile(run: ReturnType<typeof exampleRun>) {
  const evil = '<img src=x onerror=alert(1)>"\'&</script></style>';
  const samples = run.samples.map((sample) => ({
    ...sample,
    replica: evil,
    error: sample.error && evil,
    trace_id: evil,
  }));
  const summary = {
    ...run.summary,
    config: { ...run.summary.config, url: `http://x/${evil}`, slo: evil, collection: evil },
    run: { ...run.summary.run, invalid: [evil], notes: [evil] },
    errors: run.summary.errors.map((error) => ({ ...error, error: evil })),
    replicas: run.summary.replicas.map((group) => ({ ...group, name: evil })),
    tenants: run.summary.tenants.map((group) => ({ ...group, name: evil })),
    marks: run.summary.marks.map((mark) => ({ ...mark, text: evil })),
    target: run.summary.target && {
      pages: [{ url: evil, read: 1, missed: 1 }],
      series: run.summary.target.series.map((series) => ({ ...series, name: `${series.name}`, label: evil })),
      counters: [{ name: evil, labels: { [evil]: evil }, increase: 1 }],
    },
    slowest: run.summary.slowest.map((sample) => ({
      ...sample,
      replica: evil,
      trace_id: evil,
      timings_ms: { [evil]: 5 },
    })),
  };
  return { summary, samples };
}

const example = exampleRun();
const one = example.samples
  .filter(({ outcome, kind, timings_ms }) => outcome === 'ok' && kind === 'query' && timings_ms)
  .slice(0, 1);
const runs = {
  'a run': example,
  'a closed loop': exampleRun({ mode: 'closed' }),
  'nothing at all': runOf([]),
  'one request': runOf(one.map((sample) => ({ ...sample, phase: 'measured' }))),
  'one refused connection': runOf(
    one.map((sample) => ({
      ...sample,
      phase: 'measured',
      outcome: 'connect',
      status: null,
      error: 'ECONNREFUSED',
      timings_ms: null,
    })),
  ),
  'only dropped ones': runOf(
    one.map((sample) => ({
      ...sample,
      phase: 'measured',
      outcome: 'dropped',
      sent_ms: null,
      done_ms: null,
      timings_ms: null,
    })),
  ),
  'the warm-up alone': runOf(one.map((sample) => ({ ...sample, phase: 'warmup' }))),
  'a server that hates us': hostile(example),
};

describe.each(Object.entries(runs))('%s', (_name, run) => {
  const page = pageOf(run);

  it('has every part, each plot for every width, and no blank one', () => {
    expect(titles.filter((title) => !page.includes(title))).toEqual([]);
    const plots = [
      ...page.matchAll(/<svg viewBox="0 0 (\d+) [^"]*" role="img" aria-label="[^"]+">(.*?)<\/svg>/gs),
    ];
    expect(plots.filter(([, , body = '']) => !/<(path|rect|circle|text) /.test(body))).toEqual([]);
    const drawnFor = (width: number) => plots.filter(([, drawn]) => drawn === String(width)).length;
    expect([1060, 720, 510, 340].map(drawnFor)).toEqual(
      run.summary.target === null ? [3, 3, 6, 9] : [4, 4, 8, 12],
    );
  });

  it('draws with numbers', () => {
    expect(found(page, /.{30}(NaN|Infinity|undefined|null|\[object).{30}/)).toBeNull();
  });

  it('shows what was done to the target in every plot over time, and in a table', () => {
    const marks = run.summary.marks.length;
    // Three drawings of the heat band and of what waited, two of each of the six smaller plots.
    expect(page.split('class="fault-number').length - 1).toBe(marks * 18);
    expect(page.split('what was done</th>').length - 1).toBe(marks);
  });

  it('shows how far planned requests are apart where there is a plan', () => {
    expect(page.includes('<h2>Arrivals</h2>')).toBe(run.summary.arrival_gaps.length > 0);
  });

  it('asks nothing of any network, and its policy allows just its own style and script', () => {
    const hash = (text = '') => `sha256-${createHash('sha256').update(text).digest('base64')}`;
    const policy =
      /Content-Security-Policy" content="([^"]+)"/.exec(page)?.[1]?.replaceAll('&#39;', "'") ?? '';
    expect(policy).toMatch(/^default-src 'none';/);
    expect(policy).toContain(`style-src '${hash(/<style>(.*?)<\/style>/s.exec(page)?.[1])}'`);
    expect(policy).toContain(`script-src '${hash(/<script>(.*?)<\/script>/s.exec(page)?.[1])}'`);
    expect([page.match(/<style/g)?.length, page.match(/<script/g)?.length]).toEqual([1, 1]);
    expect(found(page, /@import|url\((?!#)|fetch\(|XMLHttp|WebSocket/)).toBeNull();
    // Values of attributes and what stands between elements are text, whatever they say.
    const tags = page.replaceAll(/"[^"]*"/g, '""').replaceAll(/>[^<]*</g, '><');
    expect(found(tags, /<(link|img|iframe|object|embed|base|form)\b.{0,60}/)).toBeNull();
    expect(found(tags, /<[^>]*\s(src|href|srcset|style|on\w+)=.{0,20}/)).toBeNull();
  });
});

/** Only the place, for a page is long. */
function found(text: string, what: RegExp): string | null {
  return what.exec(text)?.[0] ?? null;
}

const heading = (page: string) => /<h1>(.*?)<\/h1>/.exec(page)?.[1];

test('the page opens with the run in a sentence, and says when the figures do not mean what they should', () => {
  expect(heading(pageOf(example))).toBe('33.1 answers a second, P99 1.32 s, 27 of 695 failed');
  expect(heading(pageOf(runs['nothing at all']))).toBe('Nothing was measured');
  expect(found(pageOf(example), /These figures do not mean/)).toBeNull();
  const invalid = {
    ...example.summary,
    run: { ...example.summary.run, invalid: ['sent 80 % of what was due'] },
  };
  const alarm = /<div class="alarm">(.*?)<\/div>/.exec(pageOf({ ...example, summary: invalid }))?.[1];
  expect(alarm).toContain('<li>sent 80 % of what was due</li>');
});

test('a percentile of too few samples is in brackets, and no verdict stands on it', () => {
  const page = pageOf(runs['one request']);
  const tile =
    /<div class="name">P99<\/div><div class="value">(.*?)<\/div><div class="under">(.*?)<\/div>/.exec(page);
  expect([tile?.[1], tile?.[2]]).toEqual([expect.stringMatching(/^\(\d+ ms\)$/), 'not resolved: too few']);
  expect(heading(page)).toMatch(/P50 \d+ ms, none of 1 failed$/);
});

test('the plots are of the samples: a stall is where it was', () => {
  const page = pageOf(example);
  const worst = [...page.matchAll(/data-tip="(due 1[123][^"]*failed; P50 [^"]*)"/g)].map(([, tip]) => tip);
  expect(worst.join('\n')).toMatch(/P50 1\.\d\d s/);
  expect(found(page, /data-tip="waits for retrieve in the slowest 1 %: 1\.\d\d s, 77 %"/)).not.toBeNull();
  expect(page.match(/class="row-total/g)).toHaveLength(60);
});

test('a search is in a shade only while its probes settle, and the curves are of what it found', () => {
  const { samples, summary } = exampleRun();
  const probes = samples.map((sample, n) => ({
    ...sample,
    step: n < samples.length / 2 ? 0 : 1,
    phase: n % (samples.length / 2) < 100 ? ('warmup' as const) : ('measured' as const),
  }));
  const step = { step: 1, purpose: 'confirm', passed: true } as Summary['steps'][number];
  const config = { ...summary.config, mode: 'search' as const };
  const search = { found_rate: 40, failed_rate: 44, knee_rate: 40, confirmed: true, sentence: '' };
  const run = runData({ ...summary, config, steps: [step], search }, probes);
  expect(run.warmups).toHaveLength(2);
  const shaded = run.warmups.reduce((sum, { fromS, toS }) => sum + toS - fromS, 0);
  expect(shaded).toBeLessThan(run.endS / 2);
  const [later] = run.warmups.slice(-1);
  expect(
    run.queries.filter(({ isMeasured }) => isMeasured).every(({ dueS }) => dueS > (later?.toS ?? 0)),
  ).toBe(true);
});

test('labels keep clear of each other and of the edge', () => {
  const run = exampleRun();
  const long = { ...run, samples: Array.from({ length: 20 }, () => run.samples).flat() };
  const plot = percentilePlot(runData(long.summary, long.samples), 340).text;
  expect(plot).toContain('>P50<');
  expect(plot).not.toContain('>0</text>');
  const tails = distribution(runData(long.summary, long.samples), 340).text;
  const start = Number(/x="([\d.]+)"[^>]*>1 in 10,000</.exec(tails)?.[1]);
  expect(start).toBeGreaterThan(6.5 * '1 in 10,000'.length);
});

test('every plot over time reaches to the last second', () => {
  const run = runData(example.summary, example.samples);
  const last = `second ${example.summary.timeline.at(-1)?.second}`;
  for (const draw of [offeredAndAchieved, inFlight, errorsOverTime])
    expect(draw(run, 510).text).toContain(last);
});
