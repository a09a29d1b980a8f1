import { type LabelsOf, type Metrics, metricTable } from '@vortex/observability';
import type { QueueInspector, ReplicaState } from '@vortex/queue';

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

type State = LabelsOf<'rag_replica_state'>['state'];

/** Fed by the snapshot, once a second: a state that came and went between two scrapes is counted all the same. */
export function createReplicaStates(metrics: Metrics): (replicas: readonly ReplicaState[]) => void {
  const known = new Map<string, State>();
  const show = (replica: string, present: State | undefined) => {
    for (const state of metricTable.rag_replica_state.labels.state) {
      if (present === undefined) metrics.forget('rag_replica_state', { replica, state });
      else metrics.set('rag_replica_state', { replica, state }, state === present ? 1 : 0);
    }
  };
  return (replicas) => {
    const states = new Map(replicas.map((one) => [one.url, stateOf(one)]));
    for (const [replica, state] of states) {
      const before = known.get(replica);
      if (before === state) continue;
      if (before !== undefined) metrics.add('rag_replica_transitions_total', { replica, to: state });
      else
        for (const to of metricTable.rag_replica_transitions_total.labels.to)
          metrics.add('rag_replica_transitions_total', { replica, to }, 0);
      known.set(replica, state);
      show(replica, state);
    }
    for (const replica of known.keys()) {
      if (states.has(replica)) continue;
      known.delete(replica);
      show(replica, undefined);
    }
  };
}

function stateOf({ state, breaker }: ReplicaState): State {
  return state === 'up' && breaker.state !== 'closed' ? breaker.state : state;
}
