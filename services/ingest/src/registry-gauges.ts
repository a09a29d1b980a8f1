import type { Metrics } from '@vortex/observability';
import type { Registry } from '@vortex/registry';

/** What stands in the registry, read anew for each scrape; the index is summed up only after a change. */
export function mirrorRegistry(
  metrics: Metrics,
  registry: Pick<Registry, 'changeCounter' | 'indexTotals' | 'countPendingDeliveries'>,
): void {
  let summedAt: number | undefined;
  metrics.beforeScrape(async () => {
    metrics.set('rag_webhook_pending', {}, await registry.countPendingDeliveries());
    const change = await registry.changeCounter();
    if (change === summedAt) return;
    const { documents, chunks, bytes } = await registry.indexTotals();
    metrics.set('rag_index_documents', {}, documents);
    metrics.set('rag_index_chunks', {}, chunks);
    metrics.set('rag_index_bytes', {}, bytes);
    summedAt = change;
  });
}
