import { connect, type QueueLog, type RedisOptions } from './connect.ts';
import { keys, readWorkerMember } from './keys.ts';
import type { BreakerState } from './replica-report.ts';
import { runScript } from './scripts.ts';

export interface QueueState {
  name: string;
  waiting: number;
  in_flight: number;
  /** Null here and for `dead`: the set is another list's, and counted there. */
  retry: number | null;
  dead: number | null;
  /** How long the head has waited; null when nothing waits or it does not say. */
  oldest_age_ms: number | null;
}

export interface ReplicaState {
  url: string;
  worker_name: string;
  load: number;
  slots: number;
  /** `draining` also when a person has taken it out of use. */
  state: 'up' | 'draining' | 'down';
  breaker: BreakerView;
  /** Since its last beat. */
  silent_ms: number;
}

export interface BreakerView {
  state: BreakerState;
  /** Of the calls of the last half minute. */
  failure_ratio: number;
  /** How often it opened. */
  trips: number;
  /** Until it asks for a probe; null unless it is open. */
  probe_in_ms: number | null;
  /** A slow start's limit; null when all slots may be used. */
  cap: number | null;
  /** Time to the first token, nearly always below this; null while nothing is known. */
  first_token_ms: number | null;
}

export interface MemoryState {
  used_bytes: number;
  /** Null: no limit. */
  max_bytes: number | null;
  /** Nothing new is admitted; what was goes on. */
  full: boolean;
}

/** An entry of `llm:pool`, as lua/report.lua writes it; what is not needed here is left out. */
interface PoolEntry {
  state?: BreakerState;
  drained?: boolean;
  trips?: number;
  ok?: number;
  failed?: number;
  ok_before?: number;
  failed_before?: number;
  open_until?: number;
  cap?: number;
  first_token_ms?: number;
}

/** Reads the queue for status, dashboards and the job API. Every call throws when Redis is away. */
export interface QueueInspector {
  /** The hash of a tracked job (issue 4's names); null when there is none. */
  jobStatus(id: string): Promise<Record<string, string> | null>;
  /** Of a tracked job; a field is absent where its maker named none. Null when there is no such job. */
  jobOwner(id: string): Promise<{ tenant?: string; collection?: string } | null>;
  completion(id: string): Promise<string | null>;
  queues(lists: string[]): Promise<QueueState[]>;
  /** Every replica that has beaten lately; one that stopped is `down` for ten minutes, then forgotten. */
  replicas(): Promise<ReplicaState[]>;
  /** Retries of generation that may be made at once. */
  retryBudget(): Promise<number>;
  /** Tracked jobs (documents, asynchronous questions) that have not ended. */
  openJobs(): Promise<number>;
  /** The newest dead letters of a list, JSON texts, newest first. */
  deadLetters(list: string, limit: number): Promise<string[]>;
  memory(): Promise<MemoryState>;
  ping(): Promise<boolean>;
  close(): void;
}

export function createInspector(redis: RedisOptions, log?: QueueLog): QueueInspector {
  const client = connect(redis, 'fail-fast', log);

  async function acceptedAt(id: string): Promise<number> {
    return id === '' ? 0 : Date.parse((await client.hget(keys.job(id), 'created_at')) ?? '');
  }

  return {
    async jobStatus(id) {
      const fields = await client.hgetall(keys.job(id));
      return Object.keys(fields).length === 0 ? null : fields;
    },
    async jobOwner(id) {
      const [tenant, collection, status] = await client.hmget(keys.job(id), 'tenant', 'collection', 'status');
      if (tenant == null && collection == null && status == null) return null;
      return { ...(tenant != null && { tenant }), ...(collection != null && { collection }) };
    },
    completion: (id) => client.get(keys.completion(id)),
    async queues(lists) {
      const workers = (await client.zrange(keys.workers, '0', '-1')).flatMap(
        (member) => readWorkerMember(member) ?? [],
      );
      return Promise.all(
        lists.map(async (name) => {
          const inFlight = workers
            .filter(({ list }) => list === name)
            .map(({ wid }) => keys.inFlight(name, wid));
          const reply = await runScript(
            client,
            'inspect',
            [name, keys.retry(name), keys.dead(name), ...inFlight],
            [],
          );
          const [waiting, in_flight, retry, dead, head, id] = Array.isArray(reply) ? reply : [];
          // A bare id says nothing of its time; the hash of the tracked job does.
          const enqueuedAt = Number(String(head ?? '')) || (await acceptedAt(String(id ?? '')));
          return {
            name,
            waiting: Number(waiting),
            in_flight: Number(in_flight),
            retry: isOwn(name, keys.retry(name)) ? Number(retry) : null,
            dead: isOwn(name, keys.dead(name)) ? Number(dead) : null,
            oldest_age_ms: enqueuedAt > 0 ? Math.max(0, Math.round(Date.now() - enqueuedAt)) : null,
          };
        }),
      );
    },
    async replicas() {
      const [members, pool, time] = await Promise.all([
        client.zrange(keys.replicas, '0', '-1'),
        client.hgetall(keys.pool),
        client.time(),
      ]);
      // Redis' clock, which the leases are measured by.
      const now = Number(time[0]) * 1000 + Math.floor(Number(time[1]) / 1000);
      const urls = members.sort();
      return Promise.all(
        urls.map(async (url) => {
          const [fields, load] = await Promise.all([
            client.hgetall(keys.replica(url)),
            client.get(keys.load(url)),
          ]);
          const beating = Number(fields.until ?? 0) > now;
          const entry = poolEntry(pool[url]);
          return {
            url,
            worker_name: fields.worker_name ?? '',
            load: Number(load ?? 0),
            slots: Number(fields.slots ?? 0),
            state: !beating
              ? 'down'
              : fields.state === 'draining' || entry.drained === true
                ? 'draining'
                : 'up',
            breaker: breakerView(entry, now),
            silent_ms: Math.max(0, now - Number(fields.beat ?? 0)),
          };
        }),
      );
    },
    retryBudget: async () => Number((await client.hget(keys.pool, 'budget')) ?? fullRetryBudget),
    openJobs: () => client.scard(keys.active),
    deadLetters: async (list, limit) => (await client.lrange(keys.dead(list), -limit, '-1')).reverse(),
    async memory() {
      const info = await client.info('memory');
      const field = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1] ?? 0);
      const max = field('maxmemory');
      const used = field('used_memory');
      // As Redis itself decides: what waits to be sent to replicas and to the append-only file is not held against it.
      const full = max > 0 && used - field('mem_not_counted_for_evict') > max;
      return { used_bytes: used, max_bytes: max === 0 ? null : max, full };
    },
    async ping() {
      try {
        return (await client.ping()) === 'PONG';
      } catch {
        return false;
      }
    },
    close: () => client.disconnect(),
  };
}

function isOwn(list: string, key: string): boolean {
  return key.startsWith(`${list}:`);
}

/** `budget_cap` of lua/includes/pool.lua, which alone decides; breaker.redis.test.ts holds the two together. */
const fullRetryBudget = 10;

function poolEntry(text: string | undefined): PoolEntry {
  return text === undefined ? {} : (JSON.parse(text) as PoolEntry);
}

function breakerView(entry: PoolEntry, now: number): BreakerView {
  const failed = (entry.failed ?? 0) + (entry.failed_before ?? 0);
  const calls = failed + (entry.ok ?? 0) + (entry.ok_before ?? 0);
  const state = entry.state ?? 'closed';
  return {
    state,
    failure_ratio: calls === 0 ? 0 : Math.round((1000 * failed) / calls) / 1000,
    trips: entry.trips ?? 0,
    probe_in_ms: state === 'open' ? Math.max(0, (entry.open_until ?? 0) - now) : null,
    cap: entry.cap ?? null,
    first_token_ms: entry.first_token_ms ?? null,
  };
}
