import { quantileRank } from '../measure/order-statistics.ts';
import { randomFor } from '../plan/random.ts';
import { type Sample, timesOf } from '../sample-schema.ts';

export const comparedFigures = ['p50', 'p95', 'p99', 'mean', 'throughput', 'errors'] as const;
export type ComparedFigure = (typeof comparedFigures)[number];
export type Figures = Record<ComparedFigure, number>;

/** One second of a run. Neighbouring requests resemble each other, so seconds are drawn anew, not requests. */
interface Block {
  latencies: number[];
  ended: number;
}

export interface BlockRun {
  blocks: readonly Block[];
  latencies: readonly number[];
}

/** Queries of the measured part, by the second in which they were planned. */
export function blocksOf(samples: readonly Sample[], headline: 'response' | 'service'): BlockRun {
  const measured = samples.filter(({ kind, phase }) => kind === 'query' && phase === 'measured');
  const from = Math.min(...measured.map(({ planned_ms }) => planned_ms));
  const blocks: Block[] = [];
  for (const sample of measured) {
    const second = Math.floor((sample.planned_ms - from) / 1000);
    while (blocks.length <= second) blocks.push({ latencies: [], ended: 0 });
    const block = blocks[second] as Block;
    block.ended += 1;
    const times = timesOf(sample);
    if (sample.outcome !== 'ok' || times === null) continue;
    block.latencies.push(headline === 'response' ? times.responseMs : times.serviceMs);
  }
  // The last second is hardly ever a whole one, and half a second of requests is no lower throughput.
  if (blocks.length > 2) blocks.pop();
  return { blocks, latencies: blocks.flatMap(({ latencies }) => latencies) };
}

export function figuresOf(blocks: readonly Block[]): Figures {
  // Typed: its sort needs no comparison function, and this is done a thousand times.
  const latencies = new Float64Array(blocks.reduce((sum, block) => sum + block.latencies.length, 0));
  let filled = 0;
  for (const block of blocks) {
    latencies.set(block.latencies, filled);
    filled += block.latencies.length;
  }
  latencies.sort();
  const ended = blocks.reduce((sum, block) => sum + block.ended, 0);
  const at = (probability: number) =>
    latencies[quantileRank(latencies.length, probability) - 1] ?? Number.NaN;
  return {
    p50: at(0.5),
    p95: at(0.95),
    p99: at(0.99),
    mean: latencies.reduce((sum, ms) => sum + ms, 0) / Math.max(1, latencies.length),
    throughput: latencies.length / Math.max(1, blocks.length),
    errors: ended === 0 ? 0 : (ended - latencies.length) / ended,
  };
}

/** Draws of what both runs might have been; the same for the same seed. */
export function bootstrapPairs(
  before: BlockRun,
  after: BlockRun,
  options: { draws: number; seed: number },
): { before: Figures; after: Figures }[] {
  const random = randomFor(options.seed, 'bootstrap');
  const drawn = ({ blocks }: BlockRun) =>
    figuresOf(blocks.map(() => blocks[Math.floor(random() * blocks.length)] as Block));
  return Array.from({ length: options.draws }, () => ({ before: drawn(before), after: drawn(after) }));
}
