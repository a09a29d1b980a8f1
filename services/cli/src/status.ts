import { createClient } from '@vortex/client';
import { batchLists, generatorList, stages } from '@vortex/contracts';
import type { MemoryState, QueueState, ReplicaState } from '@vortex/queue';
import { type AskQueue, askQueue } from './ask-queue.ts';
import { instancePaths } from './folders.ts';
import { isAlive, residentBytes } from './supervisor/process-identity.ts';
import { askReadiness } from './supervisor/readiness.ts';
import { type RunFile, type RunProcess, readRunFile } from './supervisor/run-file.ts';

/** `status --json`. Null means unknown, never zero. */
export interface Status {
  ready: boolean;
  gateway_url: string | null;
  redis_url: string | null;
  /** Of the queue's Redis. Full: new work is refused, and what was admitted goes on. */
  redis_memory: MemoryState | null;
  cache_url: string | null;
  llm: string | null;
  data: string | null;
  phase: string | null;
  supervisor: { pid: number; alive: boolean; rss_bytes: number | null } | null;
  services: ServiceStatus[];
  queues: (QueueState | UnknownQueue)[];
  replicas: (ReplicaState | UnknownReplica)[];
  /** Documents and asynchronous questions that have not ended. */
  open_jobs: number | null;
}

export interface ServiceStatus {
  name: string;
  worker_name: string | null;
  pid: number | null;
  url: string | null;
  ready: boolean | null;
  restarts: number | null;
  rss_bytes: number | null;
  /** Why it is not ready, in its own words. */
  reasons: string[];
  /** Model servers: a generator's own, all listeners of mock-llm. */
  upstream_urls: string[];
}

type UnknownQueue = { name: string } & { [Field in Exclude<keyof QueueState, 'name'>]: null };
type UnknownReplica = {
  url: string | null;
  worker_name: string | null;
  load: null;
  slots: null;
  state: null;
  breaker: null;
};

const gatewayPatienceMs = 2000;

/** Null: nothing has ever been started on this folder, or it was stopped. */
export async function readStatus(data: string, ask: AskQueue = askQueue): Promise<Status | null> {
  const run = readRunFile(instancePaths(data).runFile);
  if (run === null) return null;
  const alive = isAlive(run.supervisor);
  if (!alive && !run.processes.some(({ identity }) => identity !== null && isAlive(identity))) return null;

  const [services, { queues, replicas, open_jobs, redis_memory }] = await Promise.all([
    Promise.all(run.processes.map(serviceStatus)),
    queueStatus(run, ask),
  ]);
  return {
    // Without its supervisor an instance answers, but nothing that dies comes back.
    ready: alive && services.every(({ ready }) => ready === true),
    gateway_url: run.gateway_url,
    redis_url: run.redis_url,
    redis_memory,
    cache_url: run.cache_url,
    llm: run.llm,
    data,
    phase: alive ? run.phase : 'without supervisor',
    supervisor: {
      pid: run.supervisor.pid,
      alive,
      rss_bytes: alive ? residentBytes(run.supervisor.pid) : null,
    },
    services,
    queues,
    replicas,
    open_jobs,
  };
}

/** What can be known of an instance that is only an address. */
export async function readRemoteStatus(url: string): Promise<Status> {
  const client = createClient({ url });
  const health = await client
    .health({ signal: AbortSignal.timeout(gatewayPatienceMs) })
    .catch((error: unknown) => ({ ready: false, reasons: [String(error)] }))
    .finally(() => client.close());
  const gateway: ServiceStatus = {
    name: 'gateway',
    worker_name: null,
    pid: null,
    url,
    ready: health.ready,
    restarts: null,
    rss_bytes: null,
    reasons: health.reasons,
    upstream_urls: [],
  };
  return {
    ready: health.ready,
    gateway_url: url,
    redis_url: null,
    redis_memory: null,
    cache_url: null,
    llm: null,
    data: null,
    phase: null,
    supervisor: null,
    services: [gateway],
    queues: [],
    replicas: [],
    open_jobs: null,
  };
}

/** Every list of the pipeline, those of the generators' own included. */
function queueNames(workerNames: readonly string[]): string[] {
  const lists: string[] = Object.values(stages).map(({ list }) => list);
  return [...lists, ...Object.values(batchLists), ...workerNames.map(generatorList)];
}

async function serviceStatus(entry: RunProcess): Promise<ServiceStatus> {
  const running = entry.identity !== null && isAlive(entry.identity) ? entry.identity.pid : null;
  const readiness =
    running === null ? { ready: false, reasons: entry.reasons } : await askReadiness(entry.probe);
  return {
    name: entry.service,
    worker_name: entry.worker_name,
    pid: running,
    url: entry.url,
    ready: readiness.ready,
    restarts: entry.restarts,
    rss_bytes: running === null ? null : residentBytes(running),
    reasons: readiness.reasons,
    upstream_urls: entry.upstream_urls,
  };
}

async function queueStatus(
  run: RunFile,
  ask: AskQueue,
): Promise<Pick<Status, 'queues' | 'replicas' | 'open_jobs' | 'redis_memory'>> {
  const generators = run.processes.filter(({ service }) => service === 'llm-generator');
  const workerNames = generators.map(({ worker_name }) => worker_name).filter((name) => name !== null);
  const names = queueNames(workerNames);
  try {
    const [queues, replicas, open_jobs, redis_memory] = await ask(run.redis_url, (inspector) =>
      Promise.all([inspector.queues(names), inspector.replicas(), inspector.openJobs(), inspector.memory()]),
    );
    return { queues, replicas, open_jobs, redis_memory };
  } catch {
    return {
      queues: names.map((name) => ({
        name,
        waiting: null,
        in_flight: null,
        retry: null,
        dead: null,
        oldest_age_ms: null,
      })),
      replicas: generators.map(({ url, worker_name }) => ({
        url,
        worker_name,
        load: null,
        slots: null,
        state: null,
        breaker: null,
      })),
      open_jobs: null,
      redis_memory: null,
    };
  }
}
