import type { ContentStore } from '@vortex/documents';
import type { Logger } from '@vortex/observability';
import type { ContentKind, Registry } from '@vortex/registry';

const hourMs = 3_600_000;
/** Storing or discarding one content takes seconds at most, also of 200 MB on a slow disk. */
const leastAgeMs = 10 * 60_000;

/**
 * Once at the start and every hour: what a process that was killed while it stored or discarded a content has left
 * under a hidden name. Neither searches nor the audit see such a file, and it may be an original that is needed.
 */
export function startClearingLeftovers(deps: {
  contents: Record<ContentKind, Pick<ContentStore, 'clearLeftovers'>>;
  registry: Pick<Registry, 'ownedContents'>;
  log: Logger;
}): { stop(): Promise<void> } {
  const { contents, registry, log } = deps;

  async function clear(kind: ContentKind): Promise<void> {
    try {
      const isOwned = async (hash: string) => (await registry.ownedContents(kind, [hash])).has(hash);
      const { restored, removed } = await contents[kind].clearLeftovers({ leastAgeMs, isOwned });
      if (restored + removed > 0)
        log.info({ kind, restored, removed }, 'leftovers of dead processes cleared');
    } catch (error) {
      log.warn({ err: error, kind }, 'leftovers could not be cleared; the next hour tries again');
    }
  }

  let running = Promise.resolve();
  const pass = () => {
    running = running.then(() => clear('original')).then(() => clear('text'));
  };
  pass();
  const timer = setInterval(pass, hourMs);
  timer.unref();
  return {
    async stop() {
      clearInterval(timer);
      await running;
    },
  };
}
