import type { Redis } from 'ioredis';
import { connect, keepSubscribed, type QueueLog, type RedisOptions } from './connect.ts';
import { keys } from './keys.ts';

/**
 * Which jobs are to be dropped, as this process knows it: told by pub/sub within a round trip, read from
 * the set at start, after a reconnect and with every beat, because a message may be missed.
 */
export interface CancelFeed {
  has(id: string): boolean;
  refresh(): Promise<void>;
  close(): void;
}

export function createCancelFeed(options: {
  redis: RedisOptions;
  commands: Pick<Redis, 'zrange'>;
  log?: QueueLog;
  onCancel: (id: string) => void;
}): CancelFeed {
  let ids = new Set<string>();
  /** Of each read of the set that is under way: what was told meanwhile. Its reply may be from before that. */
  const toldDuring = new Set<Set<string>>();
  const subscriber = connect(options.redis, 'subscriber', options.log);
  // What was said while this connection was away stands in the set only, and the next beat may be 3 s off.
  keepSubscribed(subscriber, keys.cancelChannel, () => void refresh().catch(() => undefined));
  // Each message is passed on: a job that was cancelled, opened anew and cancelled again is known already.
  subscriber.on('message', (_channel: string, id: string) => tell(id));

  function tell(id: string): void {
    ids.add(id);
    for (const told of toldDuring) told.add(id);
    options.onCancel(id);
  }

  async function refresh(): Promise<void> {
    const told = new Set<string>();
    toldDuring.add(told);
    try {
      const known = await options.commands.zrange(keys.cancelled, '0', '-1');
      const fresh = known.filter((id) => !ids.has(id));
      // The set forgets after some minutes; so does this process.
      ids = new Set([...known.filter((id) => ids.has(id)), ...told]);
      for (const id of fresh) tell(id);
    } finally {
      toldDuring.delete(told);
    }
  }

  return { has: (id) => ids.has(id), refresh, close: () => subscriber.disconnect() };
}
