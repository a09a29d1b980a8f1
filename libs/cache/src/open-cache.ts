import { type Cache, noCache } from './cache.ts';
import { createRedisCache, type RedisCacheOptions } from './redis-cache.ts';

/** The configuration's section `cache`, as far as it is about the connection. */
export interface CacheSettings {
  url: string | null;
  tls?: RedisCacheOptions['tls'];
  timeout_ms: number;
  max_entry_bytes: number;
}

/** Connects in the background; without a URL there is no cache. */
export function openCache(settings: CacheSettings, deps: Pick<RedisCacheOptions, 'metrics' | 'log'>): Cache {
  const { url, tls, timeout_ms: timeoutMs, max_entry_bytes: maxEntryBytes } = settings;
  return url === null ? noCache : createRedisCache({ url, tls, timeoutMs, maxEntryBytes, ...deps });
}
