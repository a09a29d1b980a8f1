import { betweenSamples } from '../measure/kolmogorov-smirnov.ts';
import type { Sample } from '../sample-schema.ts';
import { judgedStepOf } from '../search/judged-step.ts';
import type { Summary } from '../summary-schema.ts';
import {
  type BlockRun,
  blocksOf,
  bootstrapPairs,
  type ComparedFigure,
  canBeDrawn,
  comparedFigures,
  type Figures,
  figuresOf,
} from './block-bootstrap.ts';
import { mannWhitney } from './mann-whitney.ts';

export interface Run {
  summary: Summary;
  /** Null: only its summary is there. */
  samples: readonly Sample[] | null;
}

export type Verdict = 'better' | 'worse' | 'noise' | 'not resolved';

export interface FigureComparison {
  figure: ComparedFigure;
  /** Null: nothing ended well, so there is none. */
  before: number | null;
  after: number | null;
  /** Ratio after / before with its 95 % interval; for `errors`, which may be 0, the difference. Null: cannot be said. */
  change: number | null;
  low: number | null;
  high: number | null;
  verdict: Verdict;
}

export interface Comparison {
  figures: FigureComparison[];
  /** Mean milliseconds of each stage in both; null where one has none. */
  stages: { stage: string; before_ms: number | null; after_ms: number | null }[];
  /** Over single requests, which are not independent: small values here alone prove little. Null: there are none in one of the two. */
  mann_whitney: { superiority: number; p_value: number } | null;
  kolmogorov_smirnov: { distance: number; p_value: number } | null;
  /** `not resolved`: not one figure is. */
  verdict: Verdict;
}

const draws = 500;

/**
 * A figure is better or worse when its 95 % interval leaves out "the same" and the change is larger than `tolerance`
 * (a share; for errors, of all requests). Anything worse makes the whole worse.
 */
export function compareRuns(
  before: Run,
  after: Run,
  options: { tolerance: number; seed?: number },
): Comparison {
  const { tolerance, seed = 1 } = options;
  const { headline } = after.summary.latency;
  const a = blocksOf(queriesOf(before), headline);
  const b = blocksOf(queriesOf(after), headline);
  const pairs = canBeDrawn(a) && canBeDrawn(b) ? bootstrapPairs(a, b, { draws, seed }) : [];
  const point = { before: pointOf(before, a), after: pointOf(after, b) };

  const figures = comparedFigures.map((figure): FigureComparison => {
    const change = changeOf(figure, point);
    const { low, high } = intervalOf(pairs.map((pair) => changeOf(figure, pair)));
    const values = { before: finite(point.before[figure]), after: finite(point.after[figure]), change };
    const isResolved = [before, after].every(({ summary }) => isFigureResolved(summary, figure));
    if (!isResolved || change === null || low === null || high === null)
      return { figure, ...values, low, high, verdict: 'not resolved' };
    return { figure, ...values, low, high, verdict: judge({ figure, change, low, high, tolerance }) };
  });

  const hasBoth = a.latencies.length > 0 && b.latencies.length > 0;
  const [first, second] = [[...a.latencies], [...b.latencies]];
  const shift = mannWhitney(first, second);
  const shape = betweenSamples(first, second);
  return {
    figures,
    stages: stageDeltas(before.summary, after.summary),
    mann_whitney: hasBoth ? { superiority: shift.superiority, p_value: shift.pValue } : null,
    kolmogorov_smirnov: hasBoth ? { distance: shape.distance, p_value: shape.pValue } : null,
    verdict: whole(figures, point.after),
  };
}

/** A run without one answer is never better: it has no latency that could be, and whatever else fell, fell with the answers. */
function whole(figures: readonly FigureComparison[], after: Figures): Verdict {
  const verdicts = figures.map(({ verdict }) => verdict);
  if (verdicts.includes('worse')) return 'worse';
  if (verdicts.includes('better') && Number.isFinite(after.mean)) return 'better';
  return verdicts.every((verdict) => verdict === 'not resolved') ? 'not resolved' : 'noise';
}

/** Measured, and of a search the confirmation alone: that is what its summary is of. */
function queriesOf({ summary, samples }: Run): Sample[] {
  const judged = judgedStepOf(summary);
  return (samples ?? []).filter(
    ({ kind, phase, step }) =>
      kind === 'query' && phase === 'measured' && (judged === null || step === judged),
  );
}

function pointOf({ summary: { latency, totals }, samples }: Run, blocks: BlockRun): Figures {
  if (samples !== null) return figuresOf(blocks);
  const { p50, p95, p99, mean_ms } = latency[latency.headline];
  return {
    p50: p50.value_ms ?? Number.NaN,
    p95: p95.value_ms ?? Number.NaN,
    p99: p99.value_ms ?? Number.NaN,
    mean: mean_ms ?? Number.NaN,
    throughput: totals.throughput_per_second,
    errors: totals.failed_ratio,
  };
}

function changeOf(figure: ComparedFigure, { before, after }: { before: Figures; after: Figures }) {
  return finite(figure === 'errors' ? after.errors - before.errors : after[figure] / before[figure]);
}

/** Null where more draws than the interval may leave out have no such figure. */
function intervalOf(changes: readonly (number | null)[]): { low: number | null; high: number | null } {
  const known = changes.filter((change) => change !== null).sort((x, y) => x - y);
  if (known.length < draws * 0.95) return { low: null, high: null };
  return {
    low: known[Math.floor(known.length * 0.025)] ?? null,
    high: known[Math.ceil(known.length * 0.975) - 1] ?? null,
  };
}

function judge(change: {
  figure: ComparedFigure;
  change: number;
  low: number;
  high: number;
  tolerance: number;
}): Verdict {
  const { figure, low, high, tolerance } = change;
  const same = figure === 'errors' ? 0 : 1;
  const isLarge = Math.abs(change.change - same) > tolerance;
  if (!isLarge || (low <= same && high >= same)) return 'noise';
  const isMore = change.change > same;
  return isMore === (figure === 'throughput') ? 'better' : 'worse';
}

function isFigureResolved({ latency }: Summary, figure: ComparedFigure): boolean {
  if (figure !== 'p50' && figure !== 'p95' && figure !== 'p99') return true;
  return latency[latency.headline][figure].resolved;
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

function stageDeltas(before: Summary, after: Summary): Comparison['stages'] {
  const meansOf = ({ stages }: Summary) =>
    new Map(stages?.rows.map(({ stage, mean_ms }) => [stage, mean_ms]) ?? []);
  const first = meansOf(before);
  const second = meansOf(after);
  return [...new Set([...second.keys(), ...first.keys()])].map((stage) => ({
    stage,
    before_ms: first.get(stage) ?? null,
    after_ms: second.get(stage) ?? null,
  }));
}
