import type { Candidate, Plan, ReplicaView, RoutingRequest, RoutingState } from './policy.ts';
import { seededRandom } from './seeded-random.ts';

/**
 * The default: the replica with the fewest leases that has a free slot. On equal replicas no policy of
 * routing research beats an exact count; on unequal ones the bound at the slot count (the rest waits in
 * the shared list) takes most of the prize without learning anything.
 *
 * Ties are broken at random by a jitter below 1 in `a`: a fixed order sends every question of a quiet
 * system to the first replica. As one lease costs 1, the jitter never outweighs a difference in load.
 */
export function leastLoaded(state: RoutingState, _request: RoutingRequest, seed: number): Plan {
  const random = seededRandom(seed);
  const candidates: Candidate[] = [];
  for (const replica of state.replicas) {
    if (!takesWork(replica)) continue;
    candidates.push({ id: replica.id, a: random(), b: 1, f: 0, cap: replica.slots });
  }
  candidates.sort((one, other) => one.a - other.a);
  return { candidates, explain: candidates.length === 0 ? 'no_replica' : 'least_loaded' };
}

function takesWork(replica: ReplicaView): boolean {
  return replica.state === 'up' && replica.slots > 0;
}
