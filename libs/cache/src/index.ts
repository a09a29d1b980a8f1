export { announceSettings, settingsFingerprint } from './announce-settings.ts';
export { type Cache, noCache } from './cache.ts';
export { type CacheName, cacheKeys, canonicalJson, keyDigest, normalizedText } from './cache-keys.ts';
export type { CacheArgument, CacheReply, CacheScript } from './cache-scripts.ts';
export {
  createExplainStore,
  type ExplainedQuery,
  type ExplainSettings,
  type ExplainStore,
} from './explain-store.ts';
export { type CacheSettings, openCache } from './open-cache.ts';
export { type CacheLog, createRedisCache, type RedisCacheOptions } from './redis-cache.ts';
