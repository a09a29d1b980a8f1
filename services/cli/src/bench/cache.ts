import { cpus } from 'node:os';
import { Pool } from 'undici';
import { answerable } from './floor-questions.ts';
import { percentile } from './percentile.ts';
import { startPrivateStack } from './private-stack.ts';

/**
 * What a cache saves and what it costs: questions one at a time over Vortex's own documentation, each asked past the
 * caches, then as one that nobody has asked before, then again, in turns, so that a drift of the machine meets all three.
 * The model answers after a quarter of a second, which is quick for one. In a wording of its own per round, a
 * question is new to every cache.
 */
export interface CacheBenchReport {
  machine: { cpus: number; model: string };
  model_latency_ms: number;
  questions: number;
  /** Look-ups that came to nothing because the cache was late; not among the figures. */
  otherwise: number;
  ways: Record<Way, { p50_ms: number; p99_ms: number }>;
  /** Median of first answers over median of second ones. */
  times_faster: number;
  /** What looking into three caches in vain and filling them adds to a question, between medians. */
  miss_over_bypass_ms: number;
  bounds: { times_faster_min: number };
  ok: boolean;
}

type Way = 'bypass' | 'miss' | 'hit';
const ways = [
  ['bypass', { cache: 'bypass' }],
  ['miss', {}],
  ['hit', {}],
] as const;

const modelLatencyMs = 250;
const rounds = 3;
const bounds = { times_faster_min: 20 };

export async function runCacheBench(options: {
  modelsDir: string;
  onProgress?: (line: string) => void;
}): Promise<CacheBenchReport> {
  const { modelsDir, onProgress = () => {} } = options;
  onProgress('starting a private stack');
  const settings = [`mock_llm.latency_ms=${modelLatencyMs}`];
  const stack = await startPrivateStack({ modelsDir, withDocs: true, settings });
  const pool = new Pool(stack.url);
  const taken: Record<Way, number[]> = { bypass: [], miss: [], hit: [] };
  let otherwise = 0;
  try {
    for (let round = 1; round <= rounds; round += 1) {
      onProgress(`round ${round} of ${rounds}`);
      for (const question of answerable) {
        for (const [way, more] of ways) {
          const began = performance.now();
          const { statusCode, body } = await pool.request({
            path: '/query',
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify({ query: `${question} (${round})`, collection: 'vortex-docs', ...more }),
          });
          const answer = (await body.json()) as { cache?: string };
          const tookMs = performance.now() - began;
          if (statusCode !== 200) throw new Error(`a question was answered ${statusCode}`);
          // On a busy machine a look-up may be late, and the question goes on without it.
          if (answer.cache === way) taken[way].push(tookMs);
          else otherwise += 1;
        }
      }
    }
  } finally {
    await pool.close();
    await stack.stop();
  }
  const shown = (way: Way) => ({ p50_ms: percentile(taken[way], 50), p99_ms: percentile(taken[way], 99) });
  const of = { bypass: shown('bypass'), miss: shown('miss'), hit: shown('hit') };
  const timesFaster = of.miss.p50_ms / of.hit.p50_ms;
  return {
    machine: { cpus: cpus().length, model: cpus()[0]?.model ?? 'unknown' },
    model_latency_ms: modelLatencyMs,
    questions: taken.hit.length,
    otherwise,
    ways: of,
    times_faster: timesFaster,
    miss_over_bypass_ms: of.miss.p50_ms - of.bypass.p50_ms,
    bounds,
    ok: timesFaster >= bounds.times_faster_min,
  };
}
