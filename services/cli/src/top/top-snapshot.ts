import type { ReplicaView, StageName } from '@vortex/contracts';

/**
 * What `vortex top` shows at one moment, and prints with `--json`. Rates, latencies and shares are those of
 * the last `window_s` seconds. Null means unknown, never zero.
 */
export interface TopSnapshot {
  at: string;
  /** Null in a first reading: nothing can be said of rates yet. */
  window_s: number | null;
  ready: boolean;
  phase: string | null;
  gateway_url: string | null;
  llm: string | null;
  uptime_s: number | null;
  queries: TopQueries;
  stages: TopStage[];
  replicas: TopReplica[];
  services: TopService[];
  dead_letters: number | null;
  /** Documents and asynchronous questions that have not ended. */
  open_jobs: number | null;
  /** One entry a reading, the newest last. */
  history: { queries_per_second: (number | null)[]; p95_ms: (number | null)[] };
}

export interface TopQueries {
  in_flight: number | null;
  per_second: number | null;
  /** By how they ended: ok, refused, rejected, timeout, cancelled, error. */
  outcomes_per_second: Record<string, number>;
  mean_ms: number | null;
  /** Interpolated in the buckets of the gateways' histogram. */
  p50_ms: number | null;
  p95_ms: number | null;
  p99_ms: number | null;
  answer_cache_hit_ratio: number | null;
}

export interface TopQueue {
  name: string;
  waiting: number | null;
  /** How long the head has waited; also null when nothing waits. */
  oldest_age_ms: number | null;
  in_flight: number | null;
  retry: number | null;
  dead: number | null;
}

export interface TopStage extends Omit<TopQueue, 'name'> {
  stage: StageName;
  lane: 'interactive' | 'low';
  claimed_per_second: number | null;
  /** Handed on or answered. */
  done_per_second: number | null;
  /** Tried again, buried, expired. */
  failed_per_second: number | null;
  /** Means. */
  waited_ms: number | null;
  service_ms: number | null;
  /** What the sums above are of: one list, or a generator's shared one with each replica's own. */
  queues: TopQueue[];
}

export interface TopReplica {
  name: string | null;
  url: string | null;
  state: string | null;
  load: number | null;
  slots: number | null;
  answers_per_second: number | null;
  breaker: {
    state: ReplicaView['breaker']['state'];
    failure_ratio: number;
    trips: number;
    probe_in_ms: number | null;
    cap: number | null;
    first_token_ms: number | null;
  } | null;
}

export interface TopService {
  name: string;
  worker_name: string | null;
  pid: number | null;
  ready: boolean | null;
  reasons: string[];
  restarts: number | null;
  rss_bytes: number | null;
  /** Of one core. */
  cpu_ratio: number | null;
}
