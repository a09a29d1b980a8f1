import { cpus } from 'node:os';
import { sumOfTimings } from '@vortex/contracts';
import { Pool } from 'undici';
import { answerable } from './floor-questions.ts';
import { percentile } from './percentile.ts';
import { startPrivateStack } from './private-stack.ts';

/**
 * Whether `timings_ms` accounts for the time a client has waited: fifty questions in flight, past the caches, with a
 * language model that takes a quarter of a second. The client's clock runs from the call until the body is there; the
 * residual is what is left of it when the named durations are taken off. Client, stack and model share the machine.
 */
export interface TimingsBenchReport {
  machine: { cpus: number; model: string };
  model_latency_ms: number;
  in_flight: number;
  questions: number;
  queries_per_second: number;
  client_ms: Quantiles;
  /** Client's time without the waits in lists. */
  without_queue_waits_ms: Quantiles;
  /** Mean of each duration among the middle fifth of the questions, and among the slowest hundredth. */
  parts_ms: { around_p50: Record<string, number>; beyond_p99: Record<string, number> };
  /** Share of the client's time that the named durations make up, there and there. */
  explained: { around_p50: number; beyond_p99: number };
  bounds: { explained_min: number; p99_without_queue_waits_ms_max: number };
  ok: boolean;
}

interface Quantiles {
  p50: number;
  p99: number;
}

interface Sample {
  clientMs: number;
  timings: Record<string, number>;
}

const modelLatencyMs = 250;
const inFlight = 50;
const bounds = {
  explained_min: 0.95,
  p99_without_queue_waits_ms_max: 1.25 * modelLatencyMs + 60,
};
export async function runTimingsBench(options: {
  modelsDir: string;
  seconds?: number;
  onProgress?: (line: string) => void;
}): Promise<TimingsBenchReport> {
  const { modelsDir, seconds = 20, onProgress = () => {} } = options;
  onProgress('starting a private stack');
  const settings = [`mock_llm.latency_ms=${modelLatencyMs}`];
  const stack = await startPrivateStack({ modelsDir, withDocs: true, settings });
  try {
    onProgress(`${inFlight} in flight for ${seconds} s`);
    const samples = await askTimed(stack.url, seconds);
    return reportOf(samples, seconds);
  } finally {
    await stack.stop();
  }
}

/** The first two seconds are not counted. */
async function askTimed(url: string, seconds: number): Promise<Sample[]> {
  const pool = new Pool(url, { connections: inFlight, pipelining: 1 });
  const countFrom = performance.now() + 2000;
  const until = countFrom + 1000 * seconds;
  const samples: Sample[] = [];
  let next = 0;
  const askers = Array.from({ length: inFlight }, async () => {
    while (performance.now() < until) {
      const query = answerable[next++ % answerable.length];
      const began = performance.now();
      const { statusCode, body } = await pool.request({
        path: '/query',
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ query, collection: 'vortex-docs', cache: 'bypass' }),
      });
      const text = await body.text();
      const clientMs = performance.now() - began;
      if (statusCode !== 200) throw new Error(`a question was answered ${statusCode}: ${text}`);
      if (began < countFrom || performance.now() > until) continue;
      samples.push({ clientMs, timings: (JSON.parse(text) as { timings_ms: Sample['timings'] }).timings_ms });
    }
  });
  await Promise.all(askers);
  await pool.close();
  return samples;
}

function reportOf(samples: readonly Sample[], seconds: number): TimingsBenchReport {
  const sorted = samples.toSorted((one, other) => one.clientMs - other.clientMs);
  const middle = sorted.slice(Math.floor(0.4 * sorted.length), Math.ceil(0.6 * sorted.length));
  const slowest = sorted.slice(Math.floor(0.99 * sorted.length));
  const explained = { around_p50: explainedOf(middle), beyond_p99: explainedOf(slowest) };
  const withoutWaits = quantilesOf(samples.map(withoutQueueWaits));
  return {
    machine: { cpus: cpus().length, model: cpus()[0]?.model ?? 'unknown' },
    model_latency_ms: modelLatencyMs,
    in_flight: inFlight,
    questions: samples.length,
    queries_per_second: samples.length / seconds,
    client_ms: quantilesOf(samples.map(({ clientMs }) => clientMs)),
    without_queue_waits_ms: withoutWaits,
    parts_ms: { around_p50: meanParts(middle), beyond_p99: meanParts(slowest) },
    explained,
    bounds,
    ok:
      Math.min(explained.around_p50, explained.beyond_p99) >= bounds.explained_min &&
      withoutWaits.p99 <= bounds.p99_without_queue_waits_ms_max,
  };
}

function quantilesOf(values: readonly number[]): Quantiles {
  return { p50: percentile(values, 50), p99: percentile(values, 99) };
}

function explainedOf(samples: readonly Sample[]): number {
  const clientMs = samples.reduce((sum, sample) => sum + sample.clientMs, 0);
  return samples.reduce((sum, sample) => sum + sumOfTimings(sample.timings), 0) / clientMs;
}

function withoutQueueWaits({ clientMs, timings }: Sample): number {
  return Object.entries(timings).reduce(
    (ms, [name, part]) => (name.startsWith('queue_') ? ms - part : ms),
    clientMs,
  );
}

function meanParts(samples: readonly Sample[]): Record<string, number> {
  const sums: Record<string, number> = {};
  const add = (name: string, ms: number) => {
    sums[name] = (sums[name] ?? 0) + ms / samples.length;
  };
  for (const sample of samples) {
    for (const [name, ms] of Object.entries(sample.timings)) add(name, ms);
    add('client', sample.clientMs);
    add('residual', sample.clientMs - sumOfTimings(sample.timings));
  }
  return Object.fromEntries(Object.entries(sums).map(([name, ms]) => [name, Math.round(100 * ms) / 100]));
}
