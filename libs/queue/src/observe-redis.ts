import type { LabelsOf, Metrics } from '@vortex/observability';
import type { Redis } from 'ioredis';
import type { ScriptName } from './scripts.ts';

/** Hears of every script's round trip, and of connections that came back. Part of the Redis options of a process. */
export interface RedisObserver {
  script(name: ScriptName, ms: number): void;
  reconnected(): void;
}

type Group = LabelsOf<'rag_redis_command_duration_seconds'>['group'];

/** What a script is for: admission, a worker's claims, what becomes of jobs, house-keeping, replicas, looking. */
const groups = {
  admit: 'admit',
  'admit-many': 'admit',
  'admit-owed': 'admit',
  redrive: 'admit',
  'judge-request': 'admit',
  'charge-tokens': 'settle',
  claim: 'claim',
  handoff: 'settle',
  finish: 'settle',
  retry: 'settle',
  bury: 'settle',
  'give-back': 'settle',
  begin: 'settle',
  mark: 'settle',
  promote: 'care',
  'drop-letter': 'care',
  beat: 'care',
  leave: 'care',
  overdue: 'care',
  'reap-one': 'care',
  'forget-worker': 'care',
  'adopt-orphan': 'care',
  'expire-one': 'care',
  cancel: 'care',
  'sweep-active': 'care',
  'start-lease': 'replica',
  'renew-leases': 'replica',
  'sweep-replica': 'replica',
  report: 'replica',
  'drain-replica': 'replica',
  'return-list': 'replica',
  inspect: 'read',
} as const satisfies Record<ScriptName, Group>;

export function createRedisObserver(metrics: Pick<Metrics, 'add' | 'observe'>): RedisObserver {
  return {
    script: (name, ms) =>
      metrics.observe('rag_redis_command_duration_seconds', { group: groups[name] }, ms / 1000),
    reconnected: () => metrics.add('rag_redis_reconnects_total', {}),
  };
}

const observers = new WeakMap<Redis, RedisObserver>();

export function observeClient(client: Redis, observer: RedisObserver): void {
  observers.set(client, observer);
}

export function observerOf(client: Redis): RedisObserver | undefined {
  return observers.get(client);
}
