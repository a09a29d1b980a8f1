import type { Logger } from '@vortex/observability';
import type { KeyRegistry, Registry, StoredKey } from '@vortex/registry';

/**
 * The registry's keys as this gateway knows them, so that no request waits for the registry. Four times a second it
 * looks at the registry's change counter; when it has moved, whatever is known is read again at its next use. So a key
 * that is made, rotated or revoked, by whatever process, is in force here within `watchMs` and one read.
 *
 *   known ──the counter moved──► in doubt ──its next request reads it──► known
 *     └──no look has succeeded for `blindMs`──► in doubt for every request, until one does
 *
 * In doubt and no registry there: the request fails with `registry_unavailable`. Nobody comes in on old knowledge.
 */
export interface Keyring {
  /** At once when it is known. Null: there is no such key; that is looked up every time, and never kept. */
  find(keyId: string): StoredKey | Promise<StoredKey | null>;
  /** As the registry has it now, for a secret that is not the known key's. */
  readAgain(keyId: string): Promise<StoredKey | null>;
  /** Whether there ever was a key. Never goes back. */
  hasKeys(): boolean;
  /** To be written down later, at most once a minute per key. */
  noteUsed(keyId: string): void;
  /** Looks now. */
  refresh(): Promise<void>;
  close(): Promise<void>;
}

export interface KeyringOptions {
  registry: Pick<Registry, 'changeCounter'> & Pick<KeyRegistry, 'findKey' | 'hasKeys' | 'noteKeysUsed'>;
  log: Logger;
  now?: () => number;
  watchMs?: number;
}

/** Revocation is promised within 5 s (docs/12-security.md). */
const blindMs = 4000;
const mostKnown = 10_000;
const usedEveryMs = 60_000;

interface Known {
  generation: number;
  key: StoredKey;
}

export async function openKeyring(options: KeyringOptions): Promise<Keyring> {
  const { registry, log, now = Date.now, watchMs = 250 } = options;
  const known = new Map<string, Known>();
  const reading = new Map<string, { generation: number; key: Promise<StoredKey | null> }>();
  const noted = new Map<string, number>();
  let toWrite = new Map<string, number>();
  let generation = 0;
  let seen = Number.NaN;
  let lookedAt = Number.NEGATIVE_INFINITY;
  let everHad = false;
  let isBlind = false;
  let looking: Promise<void> | null = null;
  let writing: Promise<void> | null = null;

  async function look(): Promise<void> {
    const at = performance.now();
    // The counter first: what is read after it is at least as new.
    const counter = await registry.changeCounter();
    if (counter !== seen) {
      everHad ||= await registry.hasKeys();
      seen = counter;
      generation += 1;
    }
    lookedAt = at;
  }

  async function watch(): Promise<void> {
    try {
      await refresh();
      if (isBlind) log.info('the registry answers again; keys are as it says');
      isBlind = false;
    } catch (error) {
      if (!isBlind) log.warn({ err: error }, 'the registry does not answer; keys cannot be checked for long');
      isBlind = true;
    }
    writing ??= writeUsed().finally(() => {
      writing = null;
    });
  }

  function refresh(): Promise<void> {
    looking ??= look().finally(() => {
      looking = null;
    });
    return looking;
  }

  async function writeUsed(): Promise<void> {
    if (toWrite.size === 0) return;
    const some = toWrite;
    toWrite = new Map();
    try {
      await registry.noteKeysUsed(some);
    } catch (error) {
      for (const [keyId, at] of some) if (!toWrite.has(keyId)) toWrite.set(keyId, at);
      log.debug({ err: error }, 'the last use of keys could not be written down; tried again');
    }
  }

  async function read(keyId: string): Promise<StoredKey | null> {
    const made = generation;
    const key = await registry.findKey(keyId);
    // Made-up ids would push the real ones out.
    if (key === null) return null;
    const oldest = known.size >= mostKnown ? known.keys().next().value : undefined;
    if (oldest !== undefined) known.delete(oldest);
    known.set(keyId, { generation: made, key });
    return key;
  }

  function readShared(keyId: string): Promise<StoredKey | null> {
    const underWay = reading.get(keyId);
    // One that was begun before the last change may bring the key as it was before it.
    if (underWay?.generation === generation) return underWay.key;
    const begun = {
      generation,
      key: read(keyId).finally(() => {
        if (reading.get(keyId) === begun) reading.delete(keyId);
      }),
    };
    reading.set(keyId, begun);
    return begun.key;
  }

  await refresh();
  const timer = setInterval(watch, watchMs);
  timer.unref();

  return {
    find(keyId) {
      const entry = known.get(keyId);
      const isSure = entry?.generation === generation && performance.now() - lookedAt < blindMs;
      return entry !== undefined && isSure ? entry.key : readShared(keyId);
    },
    readAgain: readShared,
    hasKeys: () => everHad,
    noteUsed(keyId) {
      const at = now();
      if (at - (noted.get(keyId) ?? Number.NEGATIVE_INFINITY) < usedEveryMs) return;
      if (noted.size >= mostKnown) noted.clear();
      noted.set(keyId, at);
      toWrite.set(keyId, at);
    },
    async refresh() {
      // The look under way may have begun before what the caller has just written.
      if (looking !== null) await looking.catch(() => undefined);
      await refresh();
    },
    async close() {
      clearInterval(timer);
      await looking?.catch(() => undefined);
      await writing;
      await writeUsed();
    },
  };
}
