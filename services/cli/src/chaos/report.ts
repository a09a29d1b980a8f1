import { table } from '../table.ts';
import { percentileOrNull } from './ledger.ts';
import type { Outcome, Scenario } from './scenario.ts';

/** What a run of scenarios says, for people and for programs. */
export interface ScenarioRow {
  name: string;
  family: string;
  ground: string;
  holds: string;
  ok: boolean;
  seconds: number;
  /** A scenario that could not be run to its end. */
  error: string | null;
  checks: Outcome['checks'];
  jobs: number;
  lost: number | null;
  runs: number | null;
  repeated: number | null;
  redelivered: number;
  redelivery_p99_ms: number | null;
  p50_ms: number | null;
  p95_ms: number | null;
  p99_ms: number | null;
  figures: Record<string, number | string>;
}

export interface ChaosReport {
  ok: boolean;
  scenarios: ScenarioRow[];
  totals: {
    scenarios: number;
    held: number;
    jobs: number;
    lost: number;
    /** Of the light chain, whose workers note every run. */
    stage_runs: number;
    repeated_runs: number;
    repeated_percent: number;
    redeliveries: number;
    redelivery_p99_ms: number | null;
    seconds: number;
  };
  /** `ok: null`: too little was run to judge it. */
  bounds: { name: string; limit: string; value: number | null; ok: boolean | null }[];
}

/**
 * Each kill and each wipe costs what was in hand, however many jobs there are: the share that is run again is judged
 * where all scenarios together had as many jobs as it is promised for.
 */
const maxRepeatedPercent = 0.3;
const judgedFromJobs = 10_000;
const maxRedeliveryMs = 13_000;

export function rowOf(scenario: Scenario, outcome: Outcome | Error, ms: number): ScenarioRow {
  const { name, family, ground, holds } = scenario;
  const failed = outcome instanceof Error;
  const figures = failed ? null : outcome.figures;
  const redeliveries = figures?.redeliveries_ms ?? [];
  return {
    name,
    family,
    ground,
    holds,
    ok: !failed && outcome.checks.every(({ ok }) => ok),
    seconds: Math.round(ms / 100) / 10,
    error: failed ? outcome.message : null,
    checks: failed ? [] : outcome.checks,
    jobs: figures?.jobs ?? 0,
    lost: figures?.lost ?? null,
    runs: figures?.runs ?? null,
    repeated: figures?.repeated ?? null,
    redelivered: redeliveries.length,
    redelivery_p99_ms: percentileOrNull(redeliveries, 99),
    p50_ms: figures?.p50_ms ?? null,
    p95_ms: figures?.p95_ms ?? null,
    p99_ms: figures?.p99_ms ?? null,
    figures: figures?.own ?? {},
  };
}

/** `redeliveries`: of all scenarios, because a percentile of percentiles is none. `isWhole`: no scenario was left out. */
export function reportOf(
  rows: ScenarioRow[],
  { redeliveries, ms, isWhole }: { redeliveries: number[]; ms: number; isWhole: boolean },
): ChaosReport {
  const sum = (read: (row: ScenarioRow) => number | null) =>
    rows.reduce((total, row) => total + (read(row) ?? 0), 0);
  const runs = sum((row) => row.runs);
  const repeated = sum((row) => row.repeated);
  const repeatedPercent = runs === 0 ? 0 : Math.round((repeated / runs) * 100_000) / 1000;
  const p99 = percentileOrNull(redeliveries, 99);
  const lost = sum((row) => row.lost);
  const jobs = sum((row) => row.jobs);
  const bounds = [
    { name: 'jobs lost', limit: '0', value: lost, ok: lost === 0 },
    {
      name: 'stage runs begun again, percent',
      limit: `< ${maxRepeatedPercent}`,
      value: repeatedPercent,
      ok: isWhole && jobs >= judgedFromJobs ? repeatedPercent < maxRepeatedPercent : null,
    },
    {
      name: 'redelivery after SIGKILL, 99th percentile, ms',
      limit: `<= ${maxRedeliveryMs}`,
      value: p99 === null ? null : Math.round(p99),
      ok: p99 === null || p99 <= maxRedeliveryMs,
    },
  ];
  return {
    ok: rows.every(({ ok }) => ok) && bounds.every(({ ok }) => ok !== false),
    scenarios: rows,
    totals: {
      scenarios: rows.length,
      held: rows.filter(({ ok }) => ok).length,
      jobs,
      lost,
      stage_runs: runs,
      repeated_runs: repeated,
      repeated_percent: repeatedPercent,
      redeliveries: redeliveries.length,
      redelivery_p99_ms: p99 === null ? null : Math.round(p99),
      seconds: Math.round(ms / 1000),
    },
    bounds,
  };
}

export function reportText(report: ChaosReport): string {
  const round = (value: number | null) => (value === null ? null : Math.round(value));
  const rows = report.scenarios.map((row) => [
    row.name,
    row.ok ? 'held' : 'BROKEN',
    row.ground,
    row.jobs,
    row.lost,
    row.repeated === null ? null : `${row.repeated} of ${row.runs}`,
    row.redelivered === 0 ? null : row.redelivered,
    row.redelivery_p99_ms === null ? null : (row.redelivery_p99_ms / 1000).toFixed(1),
    round(row.p50_ms),
    round(row.p99_ms),
    row.seconds,
    Object.entries(row.figures)
      .map(([name, value]) => `${name} ${value}`)
      .join(', '),
  ]);
  const header = [
    'scenario',
    '',
    'ground',
    'jobs',
    'lost',
    'runs again',
    'redelivered',
    'p99 s',
    'p50 ms',
    'p99 ms',
    'took s',
    'counted',
  ];
  const { totals, bounds } = report;
  const broken = report.scenarios.flatMap((row) => complaints(row));
  return [
    table(header, rows),
    '',
    'chain: the three query stages as real processes without models; stack: a whole instance; drivers: tests run with more seeds.',
    `${totals.held} of ${totals.scenarios} scenarios held in ${totals.seconds} s; ${totals.jobs} jobs, ${totals.lost} lost; ` +
      `${totals.repeated_runs} of ${totals.stage_runs} stage runs begun again (${totals.repeated_percent} %).`,
    ...bounds.map(
      ({ name, limit, value, ok }) =>
        `${ok === null ? 'judged only over all scenarios with 10,000 jobs:' : ok ? 'kept  ' : 'MISSED'} ${name}: ${value ?? '–'} (${limit})`,
    ),
    ...broken,
  ].join('\n');
}

function complaints(row: ScenarioRow): string[] {
  if (row.ok) return [];
  const red = row.checks.filter(({ ok }) => !ok).map(({ what, seen }) => `  not so: ${what} (${seen})`);
  return [`${row.name}: ${row.holds}`, ...(row.error === null ? [] : [`  ${row.error}`]), ...red];
}
