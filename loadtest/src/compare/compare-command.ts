import { parseArgs } from 'node:util';
import { UsageProblem } from '../command/flags.ts';
import { columns, ms, percent } from '../command/terminal-table.ts';
import { stageLabel } from '../report/stage-names.ts';
import { exitCodes } from '../run-load-test.ts';
import {
  type Comparison,
  compareRuns,
  type FigureComparison,
  type Run,
  type Verdict,
} from './compare-runs.ts';
import { readRun } from './read-run.ts';

/** `compare A B`: exit code 5 when B is worse. @throws UsageProblem */
export async function compareCommand(words: readonly string[]): Promise<number> {
  const { paths, force, json, tolerance } = readWords(words);
  const [before, after] = paths.map(readRun) as [Run, Run];
  if (before.summary.config.hash !== after.summary.config.hash && !force) {
    throw new UsageProblem(
      `the two runs were not asked for the same (${differences(before, after)}); --force compares them all the same`,
    );
  }
  const comparison = compareRuns(before, after, { tolerance });
  if (json) console.log(JSON.stringify(comparison));
  else console.log(describe(comparison, before, after));
  return comparison.verdict === 'worse' ? exitCodes.regression : exitCodes.good;
}

function readWords(words: readonly string[]) {
  const options = {
    force: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    tolerance: { type: 'string', default: '5%' },
  } as const;
  try {
    const { values, positionals } = parseArgs({ args: [...words], options, allowPositionals: true });
    const match = /^(\d+(?:\.\d+)?)\s*%$/.exec(values.tolerance);
    if (positionals.length !== 2) throw new Error('compare needs two results: compare A B');
    if (match === null) throw new Error('--tolerance must look like 5%');
    const { force, json } = values;
    return { paths: positionals, force, json, tolerance: Number(match[1]) / 100 };
  } catch (error) {
    throw new UsageProblem(error instanceof Error ? (error.message.split('. ')[0] ?? '') : String(error));
  }
}

function differences(before: Run, after: Run): string {
  const second: Record<string, unknown> = after.summary.config;
  const differing = Object.entries(before.summary.config)
    .filter(
      ([name, value]) =>
        !['url', 'hash'].includes(name) && JSON.stringify(value) !== JSON.stringify(second[name]),
    )
    .map(([name, value]) => `${name} ${JSON.stringify(value)} and ${JSON.stringify(second[name])}`);
  return differing.length === 0 ? 'other questions' : differing.join(', ');
}

function describe(comparison: Comparison, before: Run, after: Run): string {
  const { mann_whitney, kolmogorov_smirnov } = comparison;
  const lines = [
    nameOf('A', before),
    nameOf('B', after),
    '',
    ...columns([
      ['', 'A', 'B', 'B / A', '95 %', 'verdict'],
      ...comparison.figures.map((row) => [
        row.figure,
        shown(row, row.before),
        shown(row, row.after),
        change(row, row.change),
        row.low === null ? '-' : `${change(row, row.low)} to ${change(row, row.high)}`,
        row.verdict,
      ]),
    ]),
  ];
  if (comparison.stages.length > 0) {
    lines.push(
      '',
      ...columns([
        ['mean of each stage', 'A', 'B', 'B − A'],
        ...comparison.stages.map(({ stage, before_ms, after_ms }) => [
          `  ${stageLabel(stage)}`,
          ms(before_ms),
          ms(after_ms),
          before_ms === null || after_ms === null ? '-' : `${(after_ms - before_ms).toFixed(2)} ms`,
        ]),
      ]),
    );
  }
  lines.push('');
  if (mann_whitney !== null && kolmogorov_smirnov !== null) {
    lines.push(
      `single requests: Mann-Whitney p = ${mann_whitney.p_value.toPrecision(2)} (B slower in ${percent(mann_whitney.superiority)} of pairs), Kolmogorov-Smirnov p = ${kolmogorov_smirnov.p_value.toPrecision(2)}`,
    );
  }
  lines.push(said[comparison.verdict]);
  return lines.join('\n');
}

const said: Record<Verdict, string> = {
  better: 'B is better than A',
  worse: 'B is worse than A',
  noise: 'B is neither better nor worse than A: what differs is noise',
  'not resolved': 'whether B is better or worse than A is not resolved: too little is known of them',
};

function nameOf(letter: string, { summary, samples }: Run): string {
  const without = samples === null ? '  (without its samples: no intervals)' : '';
  return `${letter}  ${summary.run.id}  ${summary.config.url}${without}`;
}

function shown({ figure }: FigureComparison, value: number | null): string {
  if (value === null) return 'no answers';
  if (figure === 'errors') return percent(value);
  return figure === 'throughput' ? `${value.toFixed(1)}/s` : ms(value);
}

function change({ figure }: FigureComparison, value: number | null): string {
  if (value === null) return '-';
  return figure === 'errors' ? `${value >= 0 ? '+' : ''}${(value * 100).toFixed(2)} pp` : value.toFixed(3);
}
