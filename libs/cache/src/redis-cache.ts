import type { ConnectionOptions } from 'node:tls';
import type { Metrics } from '@vortex/observability';
import { Redis } from 'ioredis';
import type { Cache } from './cache.ts';
import { runCacheScript } from './cache-scripts.ts';

/** The part of a logger this room uses. */
export interface CacheLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export interface RedisCacheOptions {
  url: string;
  /** The longest a look-up may hold a query up. */
  timeoutMs: number;
  /** Larger entries are not kept. */
  maxEntryBytes: number;
  metrics: Pick<Metrics, 'add' | 'set' | 'beforeScrape'>;
  log: CacheLog;
  probeMs?: number;
  /** For rediss:// (libs/config/src/with-tls.ts). */
  tls?: Pick<ConnectionOptions, 'ca' | 'cert' | 'key' | 'servername'> | undefined;
}

/** One late reply may be our own event loop's doing. */
const failuresToOpen = 2;
/** Between our own writes and Redis; more means that it takes nothing in, and memory must not hold it all. */
const mostUnanswered = 1000;

/**
 * The cache on a Redis of its own.
 *
 *   closed ──two failures in a row (late, cut off, not connected)──► open
 *     ▲                                                              │ look-ups give null at once, nothing is written;
 *     └───────────────── a PING is answered in time ─────────────────┘ a timer pings, so that no query pays for a probe
 *
 * A reply that is an error (full, read-only, loading) is an answer: it costs an entry, not the cache.
 */
export function createRedisCache(options: RedisCacheOptions): Cache {
  const { url, timeoutMs, maxEntryBytes, metrics, log, probeMs = 500, tls } = options;
  const client = new Redis(url, {
    ...(tls && { tls }),
    protocol: 2,
    replyMapping: 'legacy',
    keepAlive: 10_000,
    disableClientInfo: true,
    connectionName: 'vortex-cache',
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    connectTimeout: 2000,
    // A silent connection is replaced: what was sent on it is forgotten with it.
    socketTimeout: 3000,
    retryStrategy: (times) => Math.min(1000, 50 * 2 ** Math.min(times, 5)) * (0.8 + Math.random() * 0.4),
  });
  // What goes wrong is told by `fail`, once per outage.
  client.on('error', () => {});
  client.on('ready', succeed);
  client.on('close', () => metrics.set('rag_cache_available', {}, 0));

  let failures = 0;
  let isOpen = false;
  let unanswered = 0;
  let isClosed = false;
  const tellAvailable: (() => void)[] = [];
  metrics.set('rag_cache_available', {}, 0);

  function fail(cause: 'late' | 'away'): void {
    if (isClosed) return;
    metrics.add('rag_cache_errors_total', { cause });
    failures += 1;
    if (isOpen || failures < failuresToOpen) return;
    isOpen = true;
    metrics.set('rag_cache_available', {}, 0);
    log.warn({ cause }, 'the cache redis does not answer; going on without caches');
  }

  function succeed(): void {
    failures = 0;
    metrics.set('rag_cache_available', {}, 1);
    if (isOpen) log.info({}, 'the cache redis answers again');
    isOpen = false;
    for (const tell of tellAvailable) tell();
  }

  /** Null: no answer in time, or an error for one. */
  function ask<Reply>(command: () => Promise<Reply>): Promise<Reply | null> {
    return new Promise((resolve) => {
      const late = setTimeout(() => {
        fail('late');
        resolve(null);
      }, timeoutMs);
      unanswered += 1;
      command().then(
        (reply) => {
          unanswered -= 1;
          // A late reply says that Redis lives; the next ping in time closes the circuit.
          if (!isOpen) failures = 0;
          clearTimeout(late);
          resolve(reply);
        },
        (error: unknown) => {
          unanswered -= 1;
          clearTimeout(late);
          if (error instanceof Error && error.name === 'ReplyError')
            metrics.add('rag_cache_errors_total', { cause: 'refused' });
          else fail('away');
          resolve(null);
        },
      );
    });
  }

  const isAvailable = () => !isOpen && client.status === 'ready' && unanswered < mostUnanswered;

  metrics.beforeScrape(async () => {
    const entries = isAvailable() ? await ask(() => client.dbsize()) : null;
    if (entries !== null) metrics.set('rag_cache_entries', {}, entries);
  });

  const probe = setInterval(async () => {
    if (!isOpen || client.status !== 'ready') return;
    if ((await ask(() => client.ping())) !== null) succeed();
  }, probeMs);
  probe.unref();

  return {
    isAvailable,
    async get(keys) {
      if (!isAvailable()) return null;
      return ask(() => client.mgetBuffer([...keys]));
    },
    put(key, value, ttlMs) {
      if (ttlMs <= 0 || !isAvailable()) return;
      if (Buffer.byteLength(value) > maxEntryBytes) {
        metrics.add('rag_cache_errors_total', { cause: 'too_large' });
        return;
      }
      void ask(() => client.set(key, value, 'PX', ttlMs));
    },
    isConfigured: true,
    async run(script, keys, args) {
      if (!isAvailable()) return null;
      return ask(() => runCacheScript(client, script, keys, args));
    },
    onAvailable: (tell) => void tellAvailable.push(tell),
    close() {
      isClosed = true;
      clearInterval(probe);
      client.disconnect();
    },
  };
}
