import type { Metrics } from '@vortex/observability';
import type { QueueInspector } from '@vortex/queue';

/** `api_gateway_replica_load` and its siblings are read anew for each scrape; a replica that is gone loses its series. */
export function mirrorReplicaLoads(
  metrics: Metrics,
  inspector: Pick<QueueInspector, 'replicas' | 'retryBudget'>,
): void {
  const shown = new Set<string>();
  metrics.beforeScrape(async () => {
    const replicas = await inspector.replicas();
    const present = new Set(replicas.map(({ url }) => url));
    for (const { url, load, state, breaker } of replicas) {
      metrics.set('api_gateway_replica_load', { replica: url }, load);
      const taken = state === 'up' ? { closed: 1, half_open: 0.5, open: 0 }[breaker.state] : 0;
      metrics.set('api_gateway_replica_state', { replica: url }, taken);
    }
    for (const url of shown) {
      if (present.has(url)) continue;
      metrics.forget('api_gateway_replica_load', { replica: url });
      metrics.forget('api_gateway_replica_state', { replica: url });
    }
    metrics.set('api_gateway_retry_budget', {}, await inspector.retryBudget());
    shown.clear();
    for (const url of present) shown.add(url);
  });
}
