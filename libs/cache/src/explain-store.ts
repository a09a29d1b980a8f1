import type { Cache } from './cache.ts';
import { cacheKeys } from './cache-keys.ts';

/**
 * Stories of past queries, in parts that several processes write beside their work and one reads. Written some
 * milliseconds after the work, many at a time, and not waited for; a cache that is full, slow or away costs a story.
 *
 *   note ──► pending ──writeAfterMs, or a batch is full──► told (its object made and turned into JSON) ──► one script
 *     └──► not of the sample, no cache, too many pending: dropped, and never told
 *
 * How many queries and bytes are kept the script sees to (lua/keep-explained.lua). Which queries are of the sample
 * follows from their ids, so that all processes choose the same ones without a word in the envelope.
 */
export interface ExplainStore {
  /** Neither throws nor waits. `tell` is called later, or never. */
  note(query: ExplainedQuery, part: string, tell: () => object): void;
  /** The parts that are kept, by name; null: none. `unavailable`: no cache answers. */
  read(query: ExplainedQuery): Promise<Record<string, unknown> | null | 'unavailable'>;
  /** False: nothing is written down, as nothing is configured to be. */
  isOn(): boolean;
  /** Writes what is pending. */
  close(): void;
}

export interface ExplainedQuery {
  id: string;
  tenant: string;
}

export interface ExplainStoreOptions {
  cache: Cache;
  /** The configuration's section `explain`. */
  settings: ExplainSettings;
  /** Every part a story may have. */
  parts: readonly string[];
  log: { debug(fields: object, message: string): void };
  writeAfterMs?: number;
}

export interface ExplainSettings {
  share: number;
  keep_ms: number;
  max_queries: number;
  max_bytes: number;
  max_part_bytes: number;
}

interface Pending {
  query: string;
  part: string;
  tell: () => object;
}

/**
 * At a hundred queries a second a call then brings some ten parts. At 25 ms it brought one or two, and the cache Redis
 * spent 0.19 ms of CPU on each query (bench explain).
 */
const defaultWriteAfterMs = 100;
const mostPending = 1000;
const batchParts = 32;

export function createExplainStore(options: ExplainStoreOptions): ExplainStore {
  const { cache, settings, parts, log, writeAfterMs = defaultWriteAfterMs } = options;
  const {
    share,
    keep_ms: keepMs,
    max_queries: queries,
    max_bytes: bytes,
    max_part_bytes: partBytes,
  } = settings;
  const keys = [cacheKeys.stories, cacheKeys.storyOrder];
  const partNames = parts.join(' ');
  let pending: Pending[] = [];
  let timer: NodeJS.Timeout | undefined;

  function write(): void {
    clearTimeout(timer);
    timer = undefined;
    const batch = pending;
    pending = [];
    for (let from = 0; from < batch.length; from += batchParts) {
      const told = batch.slice(from, from + batchParts).flatMap(tellPart);
      if (told.length > 0)
        void cache.run('keep-explained', keys, [keepMs, queries, bytes, partNames, ...told]);
    }
  }

  function tellPart({ query, part, tell }: Pending): string[] {
    try {
      const value = JSON.stringify(tell());
      if (value.length <= partBytes && Buffer.byteLength(value) <= partBytes) return [query, part, value];
      log.debug({ query, part, characters: value.length }, 'a part of a story is too large to be kept');
    } catch (error) {
      log.debug({ query, part, err: error }, 'a part of a story could not be told');
    }
    return [];
  }

  const isOn = () => share > 0 && cache.isConfigured;

  return {
    isOn,
    note({ id, tenant }, part, tell) {
      if (!isOn() || pending.length >= mostPending || !isSampled(id, share) || !cache.isAvailable()) return;
      pending.push({ query: nameOf({ id, tenant }), part, tell });
      if (pending.length >= batchParts) write();
      else timer ??= setTimeout(write, writeAfterMs);
    },
    async read(query) {
      const reply = await cache.run('read-explained', keys, [keepMs, nameOf(query), ...parts]);
      if (!Array.isArray(reply)) return 'unavailable';
      const found: Record<string, unknown> = {};
      for (const [place, part] of parts.entries()) {
        const value = reply[place];
        if (Buffer.isBuffer(value)) found[part] = jsonOrNull(value);
      }
      return Object.keys(found).length === 0 ? null : found;
    },
    close: write,
  };
}

/** An id has no space, so the two cannot be taken for another pair; another tenant's id names nothing. */
function nameOf({ id, tenant }: ExplainedQuery): string {
  return `${id} ${tenant}`;
}

/** FNV-1a, 32 bits: even enough for a share, and the same in every process. */
export function isSampled(id: string, share: number): boolean {
  if (share >= 1) return true;
  let hash = 0x811c9dc5;
  for (let place = 0; place < id.length; place += 1) {
    hash = Math.imul(hash ^ id.charCodeAt(place), 0x01000193);
  }
  // The last digits of an id hardly reach the high bits without this.
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return (hash >>> 0) / 2 ** 32 < share;
}

function jsonOrNull(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    // Half of a part, or another version's: whoever parses it by its schema counts it as missing.
    return null;
  }
}
