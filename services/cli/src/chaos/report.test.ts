import { expect, test } from 'vitest';
import { reportOf, reportText, rowOf } from './report.ts';
import { check, type Outcome, type Scenario } from './scenario.ts';

const scenario: Scenario = {
  name: 'a-fault',
  family: 'redis',
  ground: 'chain',
  holds: 'it holds',
  share: 1,
  run: () => Promise.reject(new Error('not run here')),
};

const outcome = (more: Partial<Outcome['figures']> = {}, ok = true): Outcome => ({
  checks: [check('something', ok, 'what was seen')],
  figures: {
    jobs: 10_000,
    lost: 0,
    runs: 30_000,
    repeated: 80,
    redeliveries_ms: [9000],
    p50_ms: 1,
    p95_ms: 2,
    p99_ms: 3,
    own: {},
    ...more,
  },
});

function report(outcome: Outcome | Error, isWhole = true) {
  const delays = outcome instanceof Error ? [] : outcome.figures.redeliveries_ms;
  return reportOf([rowOf(scenario, outcome, 1234)], { redeliveries: delays, ms: 1234, isWhole });
}

test('all is well: ok, with its figures', () => {
  const told = report(outcome());
  expect(told).toMatchObject({ ok: true, totals: { held: 1, lost: 0, repeated_percent: 0.267 } });
  expect(reportText(told)).toContain('80 of 30000');
});

test.each([
  ['a check that is red', outcome({}, false)],
  ['a lost job', outcome({ lost: 1 })],
  ['too many runs begun again', outcome({ repeated: 90 })],
  ['a late redelivery', outcome({ redeliveries_ms: [13_001] })],
  ['a scenario that could not be run', new Error('no servers')],
])('%s: not ok', (_what, seen) => {
  expect(report(seen).ok).toBe(false);
});

test('what is red is told with what was seen', () => {
  expect(reportText(report(outcome({}, false)))).toContain('not so: something (what was seen)');
  expect(reportText(report(new Error('no servers')))).toContain('no servers');
});

test('the share of runs begun again is judged only where all scenarios had their ten thousand jobs', () => {
  const many = { repeated: 900 };
  expect(report(outcome(many)).ok).toBe(false);
  expect(report(outcome(many), false).ok).toBe(true);
  expect(report(outcome({ ...many, jobs: 9_999 })).ok).toBe(true);
});
