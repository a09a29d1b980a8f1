import { Redis } from 'ioredis';

/**
 * Counts how often the completion of each id is really written, by Redis' own keyspace notifications and past every
 * proxy: the queue's word that there is one is not taken for it. What is written while the witness itself has lost
 * Redis is not seen; it proves a second completion, never the absence of a first.
 */
export interface CompletionWitness {
  /** Ids whose completion was written more than once. */
  writtenTwice(): string[];
  seen(): number;
  forget(): void;
  close(): void;
}

const prefix = 'job:completion:';

export async function watchCompletions(url: string): Promise<CompletionWitness> {
  const counts = new Map<string, number>();
  const settings = new Redis(url, { maxRetriesPerRequest: null });
  const subscriber = new Redis(url, { maxRetriesPerRequest: null });
  for (const client of [settings, subscriber]) client.on('error', () => undefined);
  // A restarted server has forgotten the setting.
  settings.on('ready', () => {
    settings.config('SET', 'notify-keyspace-events', 'K$').catch(() => undefined);
  });
  subscriber.on('pmessage', (_pattern: string, channel: string, event: string) => {
    if (event !== 'set') return;
    const id = channel.slice(channel.indexOf(prefix) + prefix.length);
    counts.set(id, (counts.get(id) ?? 0) + 1);
  });
  await settings.ping();
  await subscriber.psubscribe(`__keyspace@*__:${prefix}*`);
  return {
    writtenTwice: () => [...counts].filter(([, count]) => count > 1).map(([id]) => id),
    seen: () => counts.size,
    forget: () => counts.clear(),
    close() {
      settings.disconnect();
      subscriber.disconnect();
    },
  };
}
