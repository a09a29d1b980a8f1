import { connect, type QueueLog, type RedisOptions } from './connect.ts';
import { keys, readWorkerMember } from './keys.ts';
import { runScript } from './scripts.ts';

export interface QueueState {
  name: string;
  waiting: number;
  in_flight: number;
  retry: number;
  dead: number;
  /** How long the head has waited; null when nothing waits or it does not say. */
  oldest_age_ms: number | null;
}

export interface ReplicaState {
  url: string;
  worker_name: string;
  load: number;
  slots: number;
  state: 'up' | 'draining' | 'down';
}

/** Reads the queue for status, dashboards and the job API. Every call throws when Redis is away. */
export interface QueueInspector {
  /** The hash of a tracked job (issue 4's names); null when there is none. */
  jobStatus(id: string): Promise<Record<string, string> | null>;
  completion(id: string): Promise<string | null>;
  queues(lists: string[]): Promise<QueueState[]>;
  /** Every replica that has beaten lately; one that stopped is `down` for ten minutes, then forgotten. */
  replicas(): Promise<ReplicaState[]>;
  /** Tracked jobs (documents, asynchronous questions) that have not ended. */
  openJobs(): Promise<number>;
  /** The newest dead letters of a list, JSON texts, newest first. */
  deadLetters(list: string, limit: number): Promise<string[]>;
  ping(): Promise<boolean>;
  close(): void;
}

export function createInspector(redis: RedisOptions, log?: QueueLog): QueueInspector {
  const client = connect(redis, 'fail-fast', log);

  return {
    async jobStatus(id) {
      const fields = await client.hgetall(keys.job(id));
      return Object.keys(fields).length === 0 ? null : fields;
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
          const [waiting, in_flight, retry, dead, head] = Array.isArray(reply) ? reply : [];
          const enqueuedAt = Number(String(head ?? ''));
          return {
            name,
            waiting: Number(waiting),
            in_flight: Number(in_flight),
            retry: Number(retry),
            dead: Number(dead),
            oldest_age_ms: enqueuedAt > 0 ? Math.max(0, Math.round(Date.now() - enqueuedAt)) : null,
          };
        }),
      );
    },
    async replicas() {
      const urls = (await client.zrange(keys.replicas, '0', '-1')).sort();
      return Promise.all(
        urls.map(async (url) => {
          const [fields, load] = await Promise.all([
            client.hgetall(keys.replica(url)),
            client.get(keys.load(url)),
          ]);
          const beating = Number(fields.until ?? 0) > Date.now();
          return {
            url,
            worker_name: fields.worker_name ?? '',
            load: Number(load ?? 0),
            slots: Number(fields.slots ?? 0),
            state: !beating ? 'down' : fields.state === 'draining' ? 'draining' : 'up',
          };
        }),
      );
    },
    openJobs: () => client.scard(keys.active),
    deadLetters: async (list, limit) => (await client.lrange(keys.dead(list), -limit, '-1')).reverse(),
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
