import { betweenSamples } from '../measure/kolmogorov-smirnov.ts';
import type { Sample } from '../sample-schema.ts';
import type { Summary } from '../summary-schema.ts';
import {
  blocksOf,
  bootstrapPairs,
  type ComparedFigure,
  comparedFigures,
  type Figures,
  figuresOf,
} from './block-bootstrap.ts';
import { mannWhitney } from './mann-whitney.ts';

export interface Run {
  summary: Summary;
  samples: readonly Sample[];
}

export type Verdict = 'better' | 'worse' | 'noise' | 'not resolved';

export interface FigureComparison {
  figure: ComparedFigure;
  before: number;
  after: number;
  /** Ratio after / before with its 95 % interval; for `errors`, which may be 0, the difference. */
  change: number;
  low: number;
  high: number;
  verdict: Verdict;
}

export interface Comparison {
  figures: FigureComparison[];
  /** Mean milliseconds of each stage in both; null where one has none. */
  stages: { stage: string; before_ms: number | null; after_ms: number | null }[];
  /** Over single requests, which are not independent: small values here alone prove little. */
  mann_whitney: { superiority: number; p_value: number };
  kolmogorov_smirnov: { distance: number; p_value: number };
  verdict: 'better' | 'worse' | 'noise';
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
  const a = blocksOf(before.samples, headline);
  const b = blocksOf(after.samples, headline);
  const pairs = bootstrapPairs(a, b, { draws, seed });
  const pointBefore = figuresOf(a.blocks);
  const pointAfter = figuresOf(b.blocks);

  const figures = comparedFigures.map((figure): FigureComparison => {
    const changeOf = (pair: { before: Figures; after: Figures }) =>
      figure === 'errors' ? pair.after.errors - pair.before.errors : pair.after[figure] / pair.before[figure];
    const changes = pairs.map(changeOf).sort((x, y) => x - y);
    const low = changes[Math.floor(draws * 0.025)] ?? Number.NaN;
    const high = changes[Math.ceil(draws * 0.975) - 1] ?? Number.NaN;
    const change = changeOf({ before: pointBefore, after: pointAfter });
    const isResolved = [before, after].every(({ summary }) => isFigureResolved(summary, figure));
    const verdict = isResolved ? judge({ figure, change, low, high, tolerance }) : 'not resolved';
    return { figure, before: pointBefore[figure], after: pointAfter[figure], change, low, high, verdict };
  });

  const shift = mannWhitney(a.latencies, b.latencies);
  const shape = betweenSamples(a.latencies, b.latencies);
  const verdicts = figures.map(({ verdict }) => verdict);
  return {
    figures,
    stages: stageDeltas(before.summary, after.summary),
    mann_whitney: { superiority: shift.superiority, p_value: shift.pValue },
    kolmogorov_smirnov: { distance: shape.distance, p_value: shape.pValue },
    verdict: verdicts.includes('worse') ? 'worse' : verdicts.includes('better') ? 'better' : 'noise',
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
