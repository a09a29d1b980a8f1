import type { Metrics } from '@vortex/observability';
import type { QueueInspector } from '@vortex/queue';

/** `api_gateway_replica_load` is read anew for each scrape; a replica that is gone loses its series. */
export function mirrorReplicaLoads(metrics: Metrics, inspector: Pick<QueueInspector, 'replicas'>): void {
  const shown = new Set<string>();
  metrics.beforeScrape(async () => {
    const replicas = await inspector.replicas();
    const present = new Set(replicas.map(({ url }) => url));
    for (const { url, load } of replicas) metrics.set('api_gateway_replica_load', { replica: url }, load);
    for (const url of shown)
      if (!present.has(url)) metrics.forget('api_gateway_replica_load', { replica: url });
    shown.clear();
    for (const url of present) shown.add(url);
  });
}
