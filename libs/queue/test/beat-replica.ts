import type { Redis } from 'ioredis';
import { keys, runScript } from '../src/index.ts';

/** A beat as the process of generator `workerName` would send it. */
export function beatReplica(
  client: Redis,
  replica: { url: string; workerName: string; slots: number; leaseMs?: number; state?: 'up' | 'draining' },
): Promise<unknown> {
  const { url, workerName, slots, leaseMs = 10_000, state = 'up' } = replica;
  return runScript(
    client,
    'beat',
    [keys.workers, keys.replicas, keys.replica(url), keys.leases(url), keys.load(url)],
    [leaseMs, '[]', url, workerName, slots, state, `job:llm_in:${workerName}`],
  );
}
