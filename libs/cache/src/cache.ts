import type { CacheArgument, CacheReply, CacheScript } from './cache-scripts.ts';

/**
 * The port: bytes under keys, that may be gone at any moment. Nothing here throws and nothing waits longer than the
 * adapter's time limit: a cache that is full, slow, frozen or away is a cache with nothing in it.
 */
export interface Cache {
  /**
   * All keys in one round trip, null for what is not there. Null altogether: the cache was not asked, or did not
   * answer in time; the caller goes on as if there were none.
   */
  get(keys: readonly string[]): Promise<readonly (Buffer | null)[] | null>;
  /** Sent and not waited for. What is larger than an entry may be is dropped. */
  put(key: string, value: string | Buffer, ttlMs: number): void;
  /** Runs a script of this room; null as `get` gives it, and for a script that Redis refused. */
  run(script: CacheScript, keys: readonly string[], args: readonly CacheArgument[]): Promise<CacheReply>;
  /** False: there is none by configuration, and never will be. */
  readonly isConfigured: boolean;
  /** False: `get` gives null without asking. */
  isAvailable(): boolean;
  /** Called whenever the cache has become available. */
  onAvailable(tell: () => void): void;
  close(): void;
}

/** What stands where no cache is configured. */
export const noCache: Cache = {
  get: async () => null,
  put: () => {},
  run: async () => null,
  isConfigured: false,
  isAvailable: () => false,
  onAvailable: () => {},
  close: () => {},
};
