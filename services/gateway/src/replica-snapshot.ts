import type { Logger } from '@vortex/observability';
import type { QueueInspector, ReplicaCandidate, ReplicaState } from '@vortex/queue';
import { leastLoaded, type Policy, type ReplicaView } from '@vortex/routing';

/** Older knowledge than this assigns nothing: the job then waits in the shared list for whoever lives. */
const usableForMs = 3000;
const goneAfterMs = 10_000;

/**
 * The replicas as Redis last knew them, read once a second. It may be stale without harm: which replica a
 * query gets is decided by the admission script on live leases, the snapshot only names the candidates.
 */
export interface ReplicaSnapshot {
  /** The policy's candidates for one query, cheapest first; empty when nothing recent is known. */
  candidates(seed: number): ReplicaCandidate[];
  /**
   * Generations that may run at a time, as far as breakers and drains allow; and whether no replica has beaten for ten
   * seconds. While Redis does not answer nothing is gone: that is another problem.
   */
  capacity(): { slots: number; isGone: boolean };
  latest(): { replicas: readonly ReplicaState[]; redisReachable: boolean; ageMs: number | null };
  refresh(): Promise<void>;
  close(): void;
}

export function createReplicaSnapshot(options: {
  inspector: Pick<QueueInspector, 'replicas'>;
  log: Logger;
  policy?: Policy;
  refreshMs?: number;
  now?: () => number;
  /** Hears every reading. */
  onRead?: (replicas: readonly ReplicaState[]) => void;
}): ReplicaSnapshot {
  const { inspector, log, policy = leastLoaded, refreshMs = 1000, now = () => performance.now() } = options;
  let replicas: readonly ReplicaState[] = [];
  let views: ReplicaView[] = [];
  let byUrl = new Map<string, ReplicaCandidate>();
  let readAt: number | null = null;
  let heardAt = now();
  let slots = 0;
  let redisReachable = false;
  let underWay: Promise<void> | null = null;

  async function read(): Promise<void> {
    try {
      replicas = await inspector.replicas();
      views = replicas.map(({ url, slots, load, state }) => ({ id: url, slots, load, state }));
      byUrl = new Map(
        replicas.map(({ url, worker_name, slots }) => [url, { url, workerName: worker_name, slots }]),
      );
      readAt = now();
      options.onRead?.(replicas);
      slots = replicas.reduce((sum, replica) => sum + usableSlots(replica), 0);
      for (const { silent_ms: silentMs } of replicas) heardAt = Math.max(heardAt, readAt - silentMs);
      if (!redisReachable) log.info({ replicas: replicas.length }, 'redis answers');
      redisReachable = true;
    } catch (error) {
      if (redisReachable) log.warn({ err: error }, 'redis does not answer; replicas are as last seen');
      redisReachable = false;
    }
  }

  /** One read at a time: a Redis that hangs must not gather a pile of them. */
  function refresh(): Promise<void> {
    underWay ??= read().finally(() => {
      underWay = null;
    });
    return underWay;
  }

  const timer = setInterval(refresh, refreshMs);
  timer.unref();

  return {
    candidates(seed) {
      if (readAt === null || now() - readAt > usableForMs) return [];
      const chosen: ReplicaCandidate[] = [];
      for (const { id } of policy({ replicas: views }, {}, seed).candidates) {
        const candidate = byUrl.get(id);
        if (candidate !== undefined) chosen.push(candidate);
      }
      return chosen;
    },
    capacity() {
      const isRecent = readAt !== null && now() - readAt <= usableForMs;
      return { slots, isGone: isRecent && now() - heardAt >= goneAfterMs };
    },
    latest: () => ({ replicas, redisReachable, ageMs: readAt === null ? null : now() - readAt }),
    refresh,
    close: () => clearInterval(timer),
  };
}

function usableSlots({ state, slots, breaker }: ReplicaState): number {
  if (state !== 'up' || breaker.state !== 'closed') return 0;
  return Math.min(slots, breaker.cap ?? slots);
}
