import { batchListOf, type StageName, stageNames, stageOfList, stages } from '@vortex/contracts';
import type { ServiceStatus, Status } from '../status.ts';
import { growth, quantile, type Sample, type Samples } from './read-metrics.ts';
import type { TopQueries, TopQueue, TopReplica, TopService, TopSnapshot, TopStage } from './top-snapshot.ts';

/** All that was read at one moment. */
export interface Reading {
  atMs: number;
  status: Status;
  uptimeS: number | null;
  /** By process (`service/worker_name`); one that did not answer is missing. */
  metrics: ReadonlyMap<string, Samples>;
}

/** The names that `assembleSnapshot` looks at; parsing the rest of a page would be most of the work. */
const prefixes = [
  'api_gateway_queries_total',
  'api_gateway_query_latency_seconds',
  'api_gateway_inflight_queries',
  'rag_queue_jobs_total',
  'rag_queue_depth',
  'rag_queue_oldest_age_seconds',
  'rag_dead_letters',
  'rag_queue_wait_seconds',
  'rag_stage_duration_seconds',
  'rag_cache_lookups_total',
  'process_cpu_seconds_total',
];
export const isWantedMetric = (name: string) => prefixes.some((prefix) => name.startsWith(prefix));

export function processKey({ name, worker_name }: Pick<ServiceStatus, 'name' | 'worker_name'>): string {
  return `${name}/${worker_name ?? ''}`;
}

/** Pure. `earlier` is the oldest reading of the window, null at the first. */
export function assembleSnapshot(
  now: Reading,
  earlier: Reading | null,
  history: TopSnapshot['history'],
): TopSnapshot {
  const { status } = now;
  const windowS = earlier === null ? null : (now.atMs - earlier.atMs) / 1000;
  const grown = new Map<string, Sample[]>();
  for (const [process, samples] of now.metrics) {
    const before = earlier?.metrics.get(process);
    // One that has just come has no past to be compared with.
    if (before !== undefined) grown.set(process, growth(before, samples));
  }
  const rates = windowS === null || windowS <= 0 || grown.size === 0 ? null : createRates(grown, windowS);
  const queries = readQueries(now, rates);
  const stageRows = readStages(now, rates);
  return {
    at: new Date(now.atMs).toISOString(),
    window_s: windowS === null ? null : Math.round(windowS * 10) / 10,
    ready: status.ready,
    phase: status.phase,
    gateway_url: status.gateway_url,
    llm: status.llm,
    uptime_s: now.uptimeS,
    queries,
    stages: stageRows,
    replicas: readReplicas(status, rates),
    services: status.services.map((entry) => readService(entry, rates)),
    dead_letters: sumOf(stageRows.map(({ dead }) => dead)),
    open_jobs: status.open_jobs,
    history: {
      queries_per_second: [...history.queries_per_second, queries.per_second],
      p95_ms: [...history.p95_ms, queries.p95_ms],
    },
  };
}

interface Rates {
  /** What the matching counters of all processes (or of one) grew by. */
  total(name: string, match?: (labels: Sample['labels']) => boolean, process?: string): number;
  perSecond(name: string, match?: (labels: Sample['labels']) => boolean, process?: string): number;
  series(name: string, match?: (labels: Sample['labels']) => boolean): Sample[];
  knows(process: string): boolean;
  /** False where only a gateway can be asked: what the workers do is then unknown, not nothing. */
  knowsWorkers: boolean;
}

function createRates(grown: ReadonlyMap<string, Sample[]>, windowS: number): Rates {
  const byName = new Map<string, { process: string; sample: Sample }[]>();
  for (const [process, samples] of grown) {
    for (const sample of samples) {
      const known = byName.get(sample.name);
      if (known === undefined) byName.set(sample.name, [{ process, sample }]);
      else known.push({ process, sample });
    }
  }
  const find = (name: string, match: (labels: Sample['labels']) => boolean, process?: string) =>
    (byName.get(name) ?? [])
      .filter((entry) => (process === undefined || entry.process === process) && match(entry.sample.labels))
      .map(({ sample }) => sample);
  const total: Rates['total'] = (name, match = () => true, process) =>
    find(name, match, process).reduce((sum, { value }) => sum + value, 0);
  return {
    total,
    perSecond: (name, match, process) => rounded(total(name, match, process) / windowS),
    series: (name, match = () => true) => find(name, match),
    knows: (process) => grown.has(process),
    knowsWorkers: [...grown.keys()].some((process) => !process.startsWith('gateway/')),
  };
}

function readQueries(now: Reading, rates: Rates | null): TopQueries {
  const outcomes: Record<string, number> = {};
  for (const { labels } of rates?.series('api_gateway_queries_total') ?? []) {
    const outcome = labels.outcome ?? 'unknown';
    outcomes[outcome] ??=
      rates?.perSecond('api_gateway_queries_total', (one) => one.outcome === outcome) ?? 0;
  }
  const latency = 'api_gateway_query_latency_seconds';
  const buckets = rates?.series(`${latency}_bucket`, isAnswer) ?? [];
  const answers = rates?.total(`${latency}_count`, isAnswer) ?? 0;
  const atShare = (share: number) => {
    const seconds = quantile(buckets, share);
    return seconds === null ? null : Math.round(seconds * 1000);
  };
  const lookups = (result: string) =>
    rates?.total(
      'rag_cache_lookups_total',
      (labels) => labels.cache === 'answer' && labels.result === result,
    ) ?? 0;
  const [hits, misses] = [lookups('hit'), lookups('miss') + lookups('stale')];
  return {
    in_flight: gauge(now, 'api_gateway_inflight_queries'),
    per_second: rates === null ? null : rates.perSecond('api_gateway_queries_total'),
    outcomes_per_second: outcomes,
    mean_ms:
      answers === 0 ? null : Math.round((1000 * (rates?.total(`${latency}_sum`, isAnswer) ?? 0)) / answers),
    p50_ms: atShare(0.5),
    p95_ms: atShare(0.95),
    p99_ms: atShare(0.99),
    answer_cache_hit_ratio: hits + misses === 0 ? null : rounded(hits / (hits + misses)),
  };
}

/** Of answers only: a refusal at the door is quick and would make a full system look fast. */
function isAnswer({ outcome = '' }: Sample['labels']): boolean {
  return outcome === 'ok' || outcome === 'degraded' || outcome === 'refused';
}

function readStages(now: Reading, rates: Rates | null): TopStage[] {
  const byStage = new Map<StageName, TopQueue[]>(stageNames.map((stage) => [stage, []]));
  for (const queue of queuesOf(now)) {
    const stage = stageOfList(queue.name);
    if (stage !== null) byStage.get(stage)?.push(queue);
  }
  return [...byStage]
    .filter(([, queues]) => queues.length > 0)
    .map(([stage, queues]) => {
      const names = new Set<string | null>([stages[stage].list, batchListOf(stage)]);
      const ofQueue = ({ queue = '' }: Sample['labels']) => names.has(queue);
      const events = (...wanted: string[]) =>
        rates?.knowsWorkers !== true
          ? null
          : rates.perSecond(
              'rag_queue_jobs_total',
              (labels) => ofQueue(labels) && wanted.includes(labels.event ?? ''),
            );
      const meanMs = (name: string, match: (labels: Sample['labels']) => boolean) => {
        const count = rates?.total(`${name}_count`, match) ?? 0;
        return count === 0 ? null : rounded((1000 * (rates?.total(`${name}_sum`, match) ?? 0)) / count);
      };
      const oldest = queues.flatMap(({ oldest_age_ms }) => oldest_age_ms ?? []);
      // All generator lists share the retries and letters of the shared one.
      const shared = queues.filter(({ name }) => name === stages[stage].list);
      return {
        stage,
        lane: stages[stage].lane,
        waiting: sumOf(queues.map(({ waiting }) => waiting)),
        oldest_age_ms: oldest.length === 0 ? null : Math.max(...oldest),
        in_flight: sumOf(queues.map(({ in_flight }) => in_flight)),
        retry: sumOf((shared.length > 0 ? shared : queues).map(({ retry }) => retry)),
        dead: sumOf((shared.length > 0 ? shared : queues).map(({ dead }) => dead)),
        claimed_per_second: events('claimed'),
        done_per_second: events('forwarded', 'completed'),
        failed_per_second: events('retried', 'dead', 'expired'),
        waited_ms: meanMs('rag_queue_wait_seconds', ofQueue),
        service_ms: meanMs('rag_stage_duration_seconds', (labels) => labels.stage === stage),
        queues,
      };
    });
}

/** Of an instance that is only an address, what its gateway's metrics tell. */
function queuesOf(now: Reading): TopQueue[] {
  if (now.status.queues.length > 0) return now.status.queues;
  const byQueue = new Map<string, TopQueue>();
  const fields = {
    rag_queue_depth: 'waiting',
    rag_queue_oldest_age_seconds: 'oldest_age_ms',
    rag_dead_letters: 'dead',
  } as const;
  for (const samples of now.metrics.values()) {
    for (const { name, labels, value } of samples.values()) {
      const field = fields[name as keyof typeof fields];
      const queue = labels.queue;
      if (field === undefined || queue === undefined) continue;
      const entry = byQueue.get(queue) ?? {
        name: queue,
        waiting: null,
        oldest_age_ms: null,
        in_flight: null,
        retry: null,
        dead: null,
      };
      entry[field] = field === 'oldest_age_ms' ? Math.round(value * 1000) : value;
      byQueue.set(queue, entry);
    }
  }
  return [...byQueue.values()];
}

function readReplicas(status: Status, rates: Rates | null): TopReplica[] {
  return [...status.replicas]
    .sort((a, b) => (a.worker_name ?? '').localeCompare(b.worker_name ?? '', 'en', { numeric: true }))
    .map(({ worker_name, url, state, load, slots, breaker }) => {
      const process = processKey({ name: 'llm-generator', worker_name });
      return {
        name: worker_name,
        url,
        state,
        load,
        slots,
        answers_per_second: rates?.knows(process)
          ? rates.perSecond('rag_queue_jobs_total', ({ event }) => event === 'completed', process)
          : null,
        breaker,
      };
    });
}

function readService(entry: ServiceStatus, rates: Rates | null): TopService {
  const process = processKey(entry);
  const { name, worker_name, pid, ready, reasons, restarts, rss_bytes } = entry;
  return {
    ...{ name, worker_name, pid, ready, reasons, restarts, rss_bytes },
    cpu_ratio: rates?.knows(process)
      ? rates.perSecond('process_cpu_seconds_total', () => true, process)
      : null,
  };
}

function gauge(now: Reading, name: string): number | null {
  return sumOf(
    [...now.metrics.values()].flatMap((samples) =>
      [...samples.values()].filter((sample) => sample.name === name).map(({ value }) => value),
    ),
  );
}

/** Of what is known; null when nothing is. */
function sumOf(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0);
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
