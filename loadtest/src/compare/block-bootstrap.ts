import { greatest, least } from '../measure/extremes.ts';
import { quantileRank } from '../measure/order-statistics.ts';
import { randomFor } from '../plan/random.ts';
import { type Sample, timesOf } from '../sample-schema.ts';

export const comparedFigures = ['p50', 'p95', 'p99', 'mean', 'throughput', 'errors'] as const;
export type ComparedFigure = (typeof comparedFigures)[number];
/** NaN: there is none, since nothing ended well. */
export type Figures = Record<ComparedFigure, number>;

/** One second of a run, or less. Neighbouring requests resemble each other, so seconds are drawn anew, not requests. */
interface Block {
  seconds: number;
  ended: number;
  ok: number;
}

export interface BlockRun {
  blocks: readonly Block[];
  /** Of what ended well, ascending. */
  latencies: Float64Array;
  /** The block of each of them. */
  blockOf: Uint32Array;
}

/** A run is cut into so many blocks at least; one shorter than ten seconds has blocks shorter than one. */
const leastBlocks = 10;
/** In fewer there is nothing to draw anew: one volley of fifty is one event, however many requests it has. */
const leastBusyBlocks = 5;

/**
 * The given queries by the block in which they were planned. The blocks reach from the first planned to the last done, as the
 * summary's rates do; the last is as long as what is left for it.
 */
export function blocksOf(queries: readonly Sample[], headline: 'response' | 'service'): BlockRun {
  if (queries.length === 0) return { blocks: [], latencies: new Float64Array(), blockOf: new Uint32Array() };
  const fromMs = least(queries.map(({ planned_ms }) => planned_ms));
  const endMs = greatest(queries.map(({ planned_ms, done_ms }) => done_ms ?? planned_ms));
  const blockMs = Math.min(1_000, (endMs - fromMs) / leastBlocks) || 1_000;
  const count = Math.max(1, Math.ceil((endMs - fromMs) / blockMs - 1e-9));
  const blocks = Array.from({ length: count }, (_, place): Block => {
    const ms = Math.min(blockMs, endMs - fromMs - place * blockMs);
    return { seconds: ms / 1000, ended: 0, ok: 0 };
  });
  const answers: { ms: number; place: number }[] = [];
  for (const query of queries) {
    const place = Math.min(count - 1, Math.floor((query.planned_ms - fromMs) / blockMs));
    const block = blocks[place] as Block;
    block.ended += 1;
    const times = timesOf(query);
    if (query.outcome !== 'ok' || times === null) continue;
    block.ok += 1;
    answers.push({ ms: headline === 'response' ? times.responseMs : times.serviceMs, place });
  }
  answers.sort((a, b) => a.ms - b.ms);
  return {
    blocks,
    latencies: Float64Array.from(answers, ({ ms }) => ms),
    blockOf: Uint32Array.from(answers, ({ place }) => place),
  };
}

export function canBeDrawn({ blocks }: BlockRun): boolean {
  return blocks.filter(({ ended }) => ended > 0).length >= leastBusyBlocks;
}

/** Of the run itself, or of a draw: how many times each block is in it. Sorting each of a thousand draws took ten times as long. */
export function figuresOf({ blocks, latencies, blockOf }: BlockRun, times?: Uint32Array): Figures {
  const weights = times ?? new Uint32Array(blocks.length).fill(1);
  let [ended, ok, seconds] = [0, 0, 0];
  for (const [place, block] of blocks.entries()) {
    const weight = weights[place] ?? 0;
    ended += weight * block.ended;
    ok += weight * block.ok;
    seconds += weight * block.seconds;
  }
  const ranks = [0.5, 0.95, 0.99].map((probability) => quantileRank(ok, probability));
  const quantiles: number[] = [];
  let seen = 0;
  let sum = 0;
  // By hand: an iterator here makes 150,000 requests take ten seconds instead of one.
  for (let index = 0; index < latencies.length; index++) {
    const weight = weights[blockOf[index] as number] as number;
    if (weight === 0) continue;
    const ms = latencies[index] as number;
    seen += weight;
    sum += weight * ms;
    while (quantiles.length < ranks.length && seen >= (ranks[quantiles.length] as number)) quantiles.push(ms);
  }
  const [p50 = Number.NaN, p95 = Number.NaN, p99 = Number.NaN] = quantiles;
  return {
    p50,
    p95,
    p99,
    mean: ok === 0 ? Number.NaN : sum / ok,
    throughput: seconds === 0 ? Number.NaN : ok / seconds,
    errors: ended === 0 ? Number.NaN : (ended - ok) / ended,
  };
}

/** Draws of what both runs might have been; the same for the same seed. */
export function bootstrapPairs(
  before: BlockRun,
  after: BlockRun,
  options: { draws: number; seed: number },
): { before: Figures; after: Figures }[] {
  const random = randomFor(options.seed, 'bootstrap');
  function drawn(run: BlockRun): Figures {
    const times = new Uint32Array(run.blocks.length);
    for (let draw = 0; draw < times.length; draw++) {
      const place = Math.floor(random() * times.length);
      times[place] = (times[place] ?? 0) + 1;
    }
    return figuresOf(run, times);
  }
  return Array.from({ length: options.draws }, () => ({ before: drawn(before), after: drawn(after) }));
}
