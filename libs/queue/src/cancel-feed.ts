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
  commands: Redis;
  log?: QueueLog;
  onCancel: (id: string) => void;
}): CancelFeed {
  let ids = new Set<string>();
  const subscriber = connect(options.redis, 'subscriber', options.log);
  keepSubscribed(subscriber, keys.cancelChannel);
  // Each message is passed on: a job that was cancelled, opened anew and cancelled again is known already.
  subscriber.on('message', (_channel: string, id: string) => tell(id));

  function tell(id: string): void {
    ids.add(id);
    options.onCancel(id);
  }

  async function refresh(): Promise<void> {
    const known = await options.commands.zrange(keys.cancelled, '0', '-1');
    // The set forgets after some minutes; so does this process.
    const fresh = known.filter((id) => !ids.has(id));
    ids = new Set(known.filter((id) => ids.has(id)));
    for (const id of fresh) tell(id);
  }

  return { has: (id) => ids.has(id), refresh, close: () => subscriber.disconnect() };
}
