import type { Cache } from './cache.ts';
import { cacheKeys, canonicalJson, keyDigest } from './cache-keys.ts';

const announceMs = 5000;
const announcedForMs = 20_000;

/** Short, for a comparison: what a worker answers by (model, limits, prompt template). */
export function settingsFingerprint(settings: object): string {
  return keyDigest(canonicalJson(settings)).slice(0, 16);
}

/**
 * A worker tells the readers of its cached work which settings it works by, in the cache itself, so that a hit costs
 * one round trip and the queue's Redis nothing. Work of other settings is then stale. A worker says it as soon as the
 * cache is there, and goes on saying it; while workers of two settings run, their words alternate and so do the hits,
 * but each hit is by settings that some worker runs at that time (or has run in the last 20 s). Without a word
 * nothing is a hit.
 */
export function announceSettings(cache: Cache, role: string, fingerprint: string): { stop(): void } {
  const announce = () => cache.put(cacheKeys.settings(role), fingerprint, announcedForMs);
  announce();
  cache.onAvailable(announce);
  const timer = setInterval(announce, announceMs);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}
