import type { Logger } from '@vortex/observability';
import type { Registry } from '@vortex/registry';
import type { VectorStore } from '@vortex/vector-store';
import type { VisibleSearch } from './visible-search.ts';

/**
 * Removes the rows of versions that nothing shows any more: superseded, failed, or of deleted documents.
 * The registry keeps a version on its list until its rows are gone, so a purge that fails or dies is
 * done again; invisible they were from the moment of the switch.
 */
export interface Purge {
  /** One pass; resolves with the number of versions purged. */
  runOnce(): Promise<number>;
  start(everyMs: number): void;
  stop(): Promise<void>;
}

const versionsPerPass = 100;

export function createPurge(deps: {
  registry: Pick<Registry, 'staleVersions' | 'forgetVersion'>;
  store: Pick<VectorStore, 'deleteVersions'>;
  visibleSearch: Pick<VisibleSearch, 'forget'>;
  log: Logger;
}): Purge {
  const { registry, store, visibleSearch, log } = deps;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<unknown> = Promise.resolve();
  let stopped = false;

  async function runOnce(): Promise<number> {
    const stale = await registry.staleVersions({ limit: versionsPerPass });
    for (const { tenant, collection, documentId, version } of stale) {
      const scope = { tenant, collection };
      const row = { document_id: documentId, version };
      await store.deleteVersions(scope, [row]);
      await registry.forgetVersion(tenant, documentId, version);
      visibleSearch.forget(scope, row);
    }
    return stale.length;
  }

  return {
    runOnce,
    start(everyMs) {
      const tick = () => {
        running = runOnce()
          .then((purged) => {
            if (purged > 0) log.info({ versions: purged }, 'purged rows of invisible versions');
            return purged;
          })
          .catch((error: unknown) => {
            log.warn({ err: error }, 'purging rows of invisible versions failed; it is tried again');
            return 0;
          })
          .then((purged) => {
            if (!stopped) timer = setTimeout(tick, purged === versionsPerPass ? 0 : everyMs);
          });
      };
      timer = setTimeout(tick, everyMs);
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}
