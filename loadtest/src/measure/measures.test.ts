import { describe, expect, test } from 'vitest';
import { compareRuns } from '../compare/compare-runs.ts';
import { exampleConfig, exampleRun } from '../fixtures/example-run.ts';
import { exponential, randomFor } from '../plan/random.ts';
import type { Sample } from '../sample-schema.ts';
import { judgeStep } from './rate-step.ts';
import { checkSlo } from './slo.ts';
import { growth } from './slope.ts';
import { residualStage, stageTable } from './stage-table.ts';
import { summarize } from './summarize.ts';

const { samples: example, summary } = exampleRun();
const { run } = summary;

function answers(count: number, of: (n: number) => Partial<Sample>): Sample[] {
  const [blank] = example.filter(
    ({ kind, outcome, cache }) => kind === 'query' && outcome === 'ok' && cache === 'miss',
  );
  return Array.from({ length: count }, (_, n) => {
    const planned = n * 10;
    const times = { planned_ms: planned, sent_ms: planned, done_ms: planned + 100 };
    return { ...(blank as Sample), n, phase: 'measured', step: null, ...times, ...of(n) };
  });
}
const summaryOf = (samples: Sample[], mode: 'closed' | 'poisson' = 'poisson') =>
  summarize({ config: exampleConfig({ mode }), slo: [], samples, measuredFromMs: 0, inFlightMean: 0, run });

describe('where the time went', () => {
  test('the parts are the whole, and the residual is what the target does not account for', () => {
    const samples = answers(1_000, (n) => ({
      // One in fifty waits for a generator.
      timings_ms: { queue_generate: n % 50 === 0 ? 900 : 1, generate: 90, first_token: 40, total: 93 },
      done_ms: n * 10 + (n % 50 === 0 ? 1_000 : 100),
    }));
    const table = stageTable(samples);
    expect(table?.rows.map(({ stage }) => stage)).toEqual(['queue_generate', 'generate', residualStage]);
    const [wait, work, residual] = table?.rows ?? [];
    expect(wait).toMatchObject({ kind: 'queue', at_median_ms: 1 });
    expect(wait?.share_in_tail).toBeCloseTo(0.9, 2);
    expect(work?.share_at_median).toBeCloseTo(0.9, 2);
    expect(residual?.at_median_ms).toBeCloseTo(9, 6);
    expect(table?.explained_at_median).toBeCloseTo(0.91, 6);
    expect(table?.without_queue_waits.p99.value_ms).toBeCloseTo(100, 0);
  });

  test('shares add up to one, in the middle and in the tail', () => {
    for (const share of ['share_at_median', 'share_in_tail'] as const) {
      const sum = summary.stages?.rows.reduce((total, row) => total + row[share], 0);
      expect(sum).toBeCloseTo(1, 9);
    }
  });

  test('a target that says nothing has no table', () => {
    expect(stageTable(answers(10, () => ({ timings_ms: null })))).toBeNull();
  });
});

describe('the figures of a run', () => {
  test('one that was not streamed has no figures of streams, rather than zeros', () => {
    const whole = answers(10, () => ({ gaps_ms: null, first_token_ms: null }));
    expect(summaryOf(whole).stream).toBeNull();
    const [streamed, ...others] = answers(10, (n) =>
      n === 0 ? { gaps_ms: [5], first_token_ms: 40 } : { gaps_ms: null, first_token_ms: null },
    );
    expect(summaryOf([streamed as Sample, ...others]).stream?.first_token).toMatchObject({
      count: 1,
      min_ms: 40,
    });
  });

  test('failures are beside the latencies, never in them', () => {
    const { totals, latency, errors } = summaryOf(
      answers(100, (n) => (n < 10 ? { outcome: 'timeout', done_ms: 30_000, error: 'late' } : {})),
    );
    expect(totals).toMatchObject({ requests: 100, successful: 90, failed: 10, failed_ratio: 0.1 });
    expect(latency.response.max_ms).toBe(100);
    expect(errors).toEqual([{ outcome: 'timeout', status: 200, error: 'late', count: 10 }]);
  });

  test('cache hits are in a row of their own and not in the stage table', () => {
    const found = summaryOf(answers(100, (n) => ({ cache: n < 25 ? 'hit' : 'miss' })));
    expect(found.cache.map(({ name, requests, share }) => [name, requests, share])).toEqual([
      ['hit', 25, 0.25],
      ['miss', 75, 0.75],
    ]);
    expect(found.stages?.requests).toBe(75);
  });

  test('a run that missed its rate, or whose load tester was late, is not valid; a closed loop has no rate', () => {
    const dropped = answers(100, (n) => (n < 3 ? { outcome: 'dropped', sent_ms: null, done_ms: null } : {}));
    expect(summaryOf(dropped).run.invalid[0]).toContain(
      '97.0 % of the planned requests were sent, 3 were dropped',
    );
    const late = answers(100, (n) => (n < 3 ? { sent_ms: n * 10 + 30 } : {}));
    expect(summaryOf(late).run.invalid[0]).toContain('30.0 ms late at P99');
    expect(summaryOf(late, 'closed').run.invalid).toEqual([]);
    expect(summaryOf(answers(100, () => ({}))).run.invalid).toEqual([]);
  });

  test('each tenant has its own P99, and fairness sees who is starved', () => {
    const tenants = (share: number) =>
      summaryOf(answers(400, (n) => ({ tenant: n % 100 < share ? 'tenant-1' : 'tenant-2' })));
    expect(tenants(50).tenants.map(({ response }) => response.p99.value_ms)).toEqual([100, 100]);
    expect(tenants(50).fairness).toBe(1);
    expect(tenants(90).fairness).toBeLessThan(0.7);
  });
});

describe('objectives', () => {
  const measured = (samples: number[]) => ({
    latency: summaryOf(answers(samples.length, (n) => ({ done_ms: n * 10 + (samples[n] ?? 0) }))).latency
      .response,
    firstToken: null,
    errorRatio: 0.02,
    throughputPerSecond: 10,
  });
  const p99 = { text: 'p99<100ms', name: 'p99', limit: 100 } as const;

  test('a search asks more than a run: the upper end of the interval', () => {
    const few = measured(Array.from({ length: 500 }, (_, n) => (n < 4 ? 150 : 90)));
    expect(checkSlo([p99], few)[0]).toMatchObject({ met: true });
    expect(checkSlo([p99], few, true)[0]).toMatchObject({ met: false, high: 150 });
  });

  test('what has no figure does not hold', () => {
    const terms = [
      { text: 'ttft_p99<1s', name: 'ttft_p99', limit: 1000 } as const,
      { text: 'err<1%', name: 'err', limit: 0.01 } as const,
    ];
    expect(checkSlo(terms, measured([50])).map(({ met }) => met)).toEqual([false, false]);
  });
});

describe('growth', () => {
  const points = (levelAt: (n: number) => number) =>
    Array.from({ length: 40 }, (_, n) => ({ atSeconds: n / 4, level: levelAt(n) }));

  test('is seen through noise, and noise is no growth', () => {
    const random = randomFor(1, 'growth');
    const noise = () => 10 + exponential(random) * 5;
    expect(growth(points(noise)).isSignificant).toBe(false);
    expect(growth(points((n) => noise() + n)).isSignificant).toBe(true);
    expect(growth(points((n) => 10 + n)).perSecond).toBeCloseTo(4, 6);
    expect(growth(points(() => 10))).toEqual({ perSecond: 0, isSignificant: false });
    // Of four seconds nothing can be said.
    expect(growth(points((n) => 10 + n).slice(0, 16))).toEqual({ perSecond: 0, isSignificant: false });
  });

  test('false alarms on levels that drift by chance are few', () => {
    const random = randomFor(2, 'growth');
    let alarms = 0;
    for (let round = 0; round < 300; round++) {
      let level = 10;
      const drift = points(() => {
        level = 10 + (level - 10) * 0.7 + (random() - 0.5) * 8;
        return level;
      });
      if (growth(drift).isSignificant) alarms += 1;
    }
    expect(alarms).toBeLessThan(24);
  });

  test('a step whose queue grows does not hold, however short its waits still are', () => {
    const judged = (doneMs: (n: number) => number) =>
      judgeStep({
        samples: answers(1_000, (n) => ({ done_ms: doneMs(n) })),
        slo: [{ text: 'p99<10s', name: 'p99', limit: 10_000 }],
        step: 0,
        rate: 100,
        purpose: 'step',
      });
    expect(judged((n) => n * 10 + 100)).toMatchObject({ passed: true, reasons: [] });
    expect(judged((n) => n * 14 + 100)).toMatchObject({ passed: false, reasons: ['in flight grows'] });
    // A target that falls behind by one in a hundred: sure, and of no weight in a step of ten seconds.
    expect(judged((n) => n * 10.1 + 100)).toMatchObject({ passed: true, growing: false });
  });

  test('a step of which too little was sent does not hold, whatever its latencies are', () => {
    const samples = answers(1_000, (n) =>
      n % 20 === 0 ? { sent_ms: null, done_ms: null, outcome: 'dropped' } : {},
    );
    const judged = judgeStep({ samples, slo: [], step: 0, rate: 100, purpose: 'step' });
    expect(judged).toMatchObject({ passed: false, dropped: 50, reasons: ['only 95.0 % sent'] });
  });
});

test('a run of more requests than a call can have arguments has its figures', { timeout: 30_000 }, () => {
  const many = answers(150_000, () => ({ gaps_ms: null, timings_ms: null, step: 0 }));
  expect(summaryOf(many).timeline).toHaveLength(1_501);
  const step = { samples: many, slo: [], step: 0, rate: 100, purpose: 'step' } as const;
  expect(judgeStep(step)).toMatchObject({ offered: 150_000, passed: true });
  const compared = summaryOf(many);
  const { figures } = compareRuns(
    { summary: compared, samples: many },
    { summary: compared, samples: many },
    { tolerance: 0.05 },
  );
  expect(figures.every(({ verdict }) => verdict === 'noise')).toBe(true);
});
