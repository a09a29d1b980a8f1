import type { ContentStore } from '@vortex/documents';
import type { Logger } from '@vortex/observability';
import type { ContentKind, Registry, Unreferenced } from '@vortex/registry';
import type { VectorStore } from '@vortex/vector-store';
import type { VisibleSearch } from './visible-search.ts';
import type { WriteGate } from './write-gate.ts';

/**
 * Removes what nothing shows any more: the rows of versions that were superseded, failed, cancelled, or of deleted
 * documents, the rows of deleted collections, and the originals and texts that only those had.
 *
 * The registry keeps a version on its list until its rows are gone, so a purge that fails or dies is done again;
 * invisible they were from the moment of the switch. A file whose version was forgotten just before a crash stays, and
 * the audit finds it.
 */
export interface Purge {
  /** One pass; resolves with the number of versions and collections purged. */
  runOnce(): Promise<number>;
  /** Looks every `pollMs` whether the registry has changed, and makes a pass when it has. */
  start(pollMs: number): void;
  stop(): Promise<void>;
}

export interface PurgeDeps {
  registry: Pick<
    Registry,
    | 'staleVersions'
    | 'forgetVersion'
    | 'staleCollections'
    | 'forgetCollection'
    | 'ownedContents'
    | 'changeCounter'
  >;
  store: Pick<VectorStore, 'deleteVersions' | 'dropCollection'>;
  visibleSearch: Pick<VisibleSearch, 'forget'>;
  gate: Pick<WriteGate, 'purge'>;
  contents: Record<ContentKind, Pick<ContentStore, 'discard'>>;
  log: Logger;
}

const versionsPerPass = 100;
/** Versions that nobody finishes become stale by the clock alone, without a change. */
const leastOftenMs = 60_000;
const retryMs = 2_000;

export function createPurge({ registry, store, visibleSearch, gate, contents, log }: PurgeDeps): Purge {
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<unknown> = Promise.resolve();
  let stopped = false;
  let purgedUpTo: number | null = null;
  let nextPassAt = 0;

  async function runOnce(): Promise<number> {
    const collections = await registry.staleCollections();
    for (const { tenant, name } of collections) {
      const scope = { tenant, collection: name };
      const unreferenced = await gate.purge(scope, async () => {
        await store.dropCollection(scope);
        return registry.forgetCollection(tenant, name);
      });
      await discard(unreferenced);
    }
    const stale = await registry.staleVersions({ limit: versionsPerPass });
    for (const { tenant, collection, documentId, version } of stale) {
      const scope = { tenant, collection };
      const row = { document_id: documentId, version };
      const unreferenced = await gate.purge({ ...scope, document: row }, async () => {
        await store.deleteVersions(scope, [row]);
        return registry.forgetVersion(tenant, documentId, version);
      });
      visibleSearch.forget(scope, row);
      await discard(unreferenced);
    }
    return collections.length + stale.length;
  }

  async function discard({ originals, texts }: Unreferenced): Promise<void> {
    for (const hash of originals) await discardOne('original', hash);
    for (const hash of texts) await discardOne('text', hash);
  }

  async function discardOne(kind: ContentKind, hash: string): Promise<void> {
    try {
      await contents[kind].discard(hash, async () => (await registry.ownedContents(kind, [hash])).has(hash));
    } catch (error) {
      log.warn(
        { err: error, kind, hash },
        'a file that nothing needs was not removed; the audit will list it',
      );
    }
  }

  async function passIfDue(): Promise<void> {
    // Read before the lists: what changes from here on is seen by the next look.
    const counter = await registry.changeCounter();
    if (counter === purgedUpTo && Date.now() < nextPassAt) return;
    const purged = await runOnce();
    if (purged > 0) log.info({ purged }, 'purged what nothing shows any more');
    purgedUpTo = purged < versionsPerPass ? counter : null;
    nextPassAt = Date.now() + leastOftenMs;
  }

  return {
    runOnce,
    start(pollMs) {
      const tick = () => {
        running = passIfDue()
          .then(
            () => pollMs,
            (error: unknown) => {
              log.warn({ err: error }, 'purging what nothing shows any more failed; it is tried again');
              purgedUpTo = null;
              return retryMs;
            },
          )
          .then((waitMs) => {
            if (!stopped) timer = setTimeout(tick, waitMs);
          });
      };
      timer = setTimeout(tick, pollMs);
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}
