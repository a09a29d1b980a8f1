import { cpus } from 'node:os';
import { answerable } from './floor-questions.ts';
import { loadTurn } from './load-turn.ts';
import { percentile } from './percentile.ts';
import { type PrivateStack, startPrivateStack } from './private-stack.ts';

/**
 * What it costs to write down the story of every query: two private stacks side by side, one that keeps stories and one
 * that keeps none, asked in turns with a model that answers at once, past the other caches, so that nothing but our own
 * work is measured. A pair of neighbouring turns meets the same machine; which is first changes from pair to pair.
 */
export interface ExplainBenchReport {
  machine: { cpus: number; model: string };
  in_flight: number;
  pairs: { on_per_second: number; off_per_second: number; ratio: number }[];
  /** Median over the pairs of queries/s with stories by queries/s without. */
  ratio: number;
  p99_ms: { on: number; off: number };
  /** CPU milliseconds per query, by process: mean over the turns. */
  cpu_ms_per_query: { on: Record<string, number>; off: Record<string, number> };
  errors: number;
  bounds: { ratio_min: number };
  ok: boolean;
}

const inFlight = 50;
const bounds = { ratio_min: 0.97 };
const ways = ['on', 'off'] as const;
type Way = (typeof ways)[number];

export async function runExplainBench(options: {
  modelsDir: string;
  pairs?: number;
  seconds?: number;
  onProgress?: (line: string) => void;
}): Promise<ExplainBenchReport> {
  const { modelsDir, pairs = 6, seconds = 8, onProgress = () => {} } = options;
  const stacks: Partial<Record<Way, PrivateStack>> = {};
  try {
    for (const way of ways) {
      onProgress(`starting a private stack with stories ${way}`);
      const settings = [`explain.share=${way === 'on' ? 1 : 0}`];
      stacks[way] = await startPrivateStack({ modelsDir, withDocs: true, settings });
    }
    const { on, off } = stacks;
    if (on === undefined || off === undefined) throw new Error('both stacks were started');
    const turns: Record<Way, Turn[]> = { on: [], off: [] };
    for (let pair = 1; pair <= pairs; pair += 1) {
      onProgress(`pair ${pair} of ${pairs}`);
      for (const way of pair % 2 === 0 ? ways : ways.toReversed())
        turns[way].push(await askFor(way === 'on' ? on : off, seconds));
    }
    return reportOf(turns);
  } finally {
    for (const way of ways) await stacks[way]?.stop();
  }
}

interface Turn {
  perSecond: number;
  p99Ms: number;
  errors: number;
  cpuMs: Record<string, number>;
}

async function askFor(stack: PrivateStack, seconds: number): Promise<Turn> {
  const loop = { collection: 'vortex-docs', texts: answerable, inFlight };
  const { latencies, ...turn } = await loadTurn(stack, loop, seconds);
  return { ...turn, p99Ms: percentile(latencies, 99) };
}

function meanCpu(turns: readonly Turn[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { cpuMs } of turns) {
    for (const [name, ms] of Object.entries(cpuMs)) sums[name] = (sums[name] ?? 0) + ms / turns.length;
  }
  return sums;
}

function reportOf(turns: Record<Way, Turn[]>): ExplainBenchReport {
  const pairs = turns.on.map(({ perSecond: on }, place) => {
    const off = turns.off[place]?.perSecond ?? Number.NaN;
    return { on_per_second: on, off_per_second: off, ratio: on / off };
  });
  const ratios = pairs.map(({ ratio }) => ratio);
  const ratio = percentile(ratios, 50);
  const p99 = (way: Way) =>
    percentile(
      turns[way].map(({ p99Ms }) => p99Ms),
      50,
    );
  const errors = ways.flatMap((way) => turns[way]).reduce((sum, turn) => sum + turn.errors, 0);
  return {
    machine: { cpus: cpus().length, model: cpus()[0]?.model ?? 'unknown' },
    ...{ in_flight: inFlight, pairs, ratio },
    p99_ms: { on: p99('on'), off: p99('off') },
    cpu_ms_per_query: { on: meanCpu(turns.on), off: meanCpu(turns.off) },
    ...{ errors, bounds },
    ok: errors === 0 && ratio >= bounds.ratio_min,
  };
}
