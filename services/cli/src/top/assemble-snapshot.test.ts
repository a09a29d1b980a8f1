import { expect, test } from 'vitest';
import type { Status } from '../status.ts';
import { assembleSnapshot, isWantedMetric, type Reading } from './assemble-snapshot.ts';
import { readMetrics } from './read-metrics.ts';

const service = (name: string, worker_name: string) => ({
  ...{ name, worker_name, pid: 1, url: null, ready: true, restarts: 0, rss_bytes: 1e8, reasons: [] },
  upstream_urls: [],
});
const queue = (name: string, waiting: number, oldest_age_ms: number | null, dead = 0) => ({
  ...{ name, waiting, oldest_age_ms, in_flight: 1, retry: 0, dead },
});
const status: Status = {
  ready: true,
  gateway_url: 'http://127.0.0.1:8000',
  redis_memory: null,
  redis_url: null,
  cache_url: null,
  llm: 'mock',
  data: '/data',
  phase: 'ready',
  supervisor: null,
  services: [
    service('gateway', 'gateway_1'),
    service('encoder', 'encoder_1'),
    service('llm-generator', 'g_10'),
  ],
  queues: [
    queue('job:encoder_in', 4, 700),
    queue('job:llm_in', 0, null, 2),
    queue('job:llm_in:low', 3, 9000, 2),
    queue('job:llm_in:g_10', 1, 20, 2),
  ],
  replicas: ['g_10', 'g_9'].map((worker_name) => ({
    ...{ worker_name, url: `http://${worker_name}`, load: 1, slots: 8, state: 'up' as const, silent_ms: 1 },
    breaker: {
      ...{ state: 'closed' as const, failure_ratio: 0, trips: 0, probe_in_ms: null, cap: null },
      first_token_ms: null,
    },
  })),
  open_jobs: 1,
};

function reading(atMs: number, pages: Record<string, string>, over: Partial<Status> = {}): Reading {
  const metrics = new Map(
    Object.entries(pages).map(([process, page]) => [process, readMetrics(page, isWantedMetric)]),
  );
  return { atMs, status: { ...status, ...over }, uptimeS: 60, metrics };
}

const gateway = (ok: number, rejected: number) => `
api_gateway_inflight_queries 7
api_gateway_queries_total{outcome="ok",mode="sync"} ${ok}
api_gateway_queries_total{outcome="ok",mode="stream"} ${ok}
api_gateway_queries_total{outcome="rejected",mode="sync"} ${rejected}
api_gateway_query_latency_seconds_bucket{le="0.25",outcome="ok",mode="sync"} ${ok}
api_gateway_query_latency_seconds_bucket{le="+Inf",outcome="ok",mode="sync"} ${ok}
api_gateway_query_latency_seconds_bucket{le="0.25",outcome="rejected",mode="sync"} 0
api_gateway_query_latency_seconds_bucket{le="+Inf",outcome="rejected",mode="sync"} ${rejected * 1000}
api_gateway_query_latency_seconds_sum{outcome="ok",mode="sync"} ${ok * 0.2}
api_gateway_query_latency_seconds_count{outcome="ok",mode="sync"} ${ok}
rag_cache_lookups_total{cache="answer",result="hit"} ${ok}
rag_cache_lookups_total{cache="answer",result="miss"} ${3 * ok}
rag_dead_letters{queue="job:llm_in"} 2
rag_queue_depth{queue="job:llm_in"} 5
rag_queue_oldest_age_seconds{queue="job:llm_in"} 1.5`;
const generator = (completed: number) => `
rag_queue_jobs_total{queue="job:llm_in",event="completed"} ${completed}
rag_queue_wait_seconds_sum{queue="job:llm_in"} ${completed * 0.004}
rag_queue_wait_seconds_count{queue="job:llm_in"} ${completed}
process_cpu_seconds_total ${completed / 1000}`;

const none = { queries_per_second: [], p95_ms: [] };
const before = reading(0, { 'gateway/gateway_1': gateway(10, 1), 'llm-generator/g_10': generator(500) });
const after = reading(10_000, {
  'gateway/gateway_1': gateway(110, 21),
  'llm-generator/g_10': generator(700),
  'encoder/encoder_1': 'rag_queue_jobs_total{queue="job:encoder_in",event="forwarded"} 12345',
});

test('rates and latencies are of the window; refusals make nothing look fast', () => {
  const { queries, window_s } = assembleSnapshot(after, before, none);
  expect(window_s).toBe(10);
  expect(queries).toMatchObject({
    in_flight: 7,
    per_second: 22,
    outcomes_per_second: { ok: 20, rejected: 2 },
    mean_ms: 200,
    p50_ms: 125,
    answer_cache_hit_ratio: 0.25,
  });
});

test('the lists of one stage are one row: depths added, the oldest age, letters counted once', () => {
  const { stages, dead_letters } = assembleSnapshot(after, before, none);
  expect(stages.map(({ stage, queues }) => [stage, queues.length])).toEqual([
    ['encode', 1],
    ['generate', 3],
  ]);
  expect(stages[1]).toMatchObject({
    ...{ waiting: 4, oldest_age_ms: 9000, in_flight: 3, dead: 2, done_per_second: 20, waited_ms: 4 },
  });
  expect(dead_letters).toBe(2);
});

test('a process that has just come counts from its next reading on', () => {
  const { stages, services, replicas } = assembleSnapshot(after, before, none);
  expect(stages[0]).toMatchObject({ stage: 'encode', done_per_second: 0 });
  expect(services.map(({ cpu_ratio }) => cpu_ratio)).toEqual([0, null, 0.02]);
  expect(replicas.map(({ name, answers_per_second }) => [name, answers_per_second])).toEqual([
    ['g_9', null],
    ['g_10', 20],
  ]);
});

test('a first reading knows depths, and says of rates that it does not', () => {
  const first = assembleSnapshot(after, null, none);
  expect(first.queries).toMatchObject({ in_flight: 7, per_second: null, p95_ms: null });
  expect(first.stages[0]).toMatchObject({ waiting: 4, done_per_second: null, service_ms: null });
  expect(first.history.queries_per_second).toEqual([null]);
});

test('of an instance that is only an address: what its gateway says, the rest unknown', () => {
  const remote = { queues: [], data: null };
  const { stages } = assembleSnapshot(
    reading(10_000, { 'gateway/': gateway(110, 21) }, remote),
    reading(0, { 'gateway/': gateway(10, 1) }, remote),
    none,
  );
  expect(stages).toMatchObject([
    { stage: 'generate', waiting: 5, oldest_age_ms: 1500, dead: 2, in_flight: null, done_per_second: null },
  ]);
});
