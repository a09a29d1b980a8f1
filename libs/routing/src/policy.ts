/**
 * How a generator replica is chosen. A policy is a pure function: it is given what is known about the
 * replicas and returns, for each that may be chosen, a hinge cost
 *
 *   cost(n) = a + b · max(0, n − f)        n = leases the replica holds at the moment of the choice
 *
 * The choice itself is made in Redis, on the live n, in the step that reserves. A policy may therefore be a
 * second old, and clever, without ever being wrong about load: 32 gateways that read counters first and
 * then incremented them put 32 of 32 jobs on one of eight replicas; one script gave each replica four
 * (docs/decisions/0007). `admit.lua` applies the one hinge that is in use (a below 1, b = 1, f = 0: fewest
 * leases, ties at random); a policy with other costs sends them along as arguments. No clock, no randomness
 * and no I/O in here: the same state, request and seed give the same plan, in production, tests and simulator.
 */
export type Policy = (state: RoutingState, request: RoutingRequest, seed: number) => Plan;

/** A replica as the last snapshot shows it. `id` is opaque (its URL in production). */
export interface ReplicaView {
  readonly id: string;
  /** Generations it runs at a time. */
  readonly slots: number;
  /** Leases it held when the snapshot was taken; for policies that look ahead, never for the final count. */
  readonly load: number;
  /** A draining replica finishes what it has and takes nothing new. */
  readonly state: 'up' | 'draining' | 'down';
}

export interface RoutingState {
  readonly replicas: readonly ReplicaView[];
}

/** What is known about the query; policies that predict work read it, `leastLoaded` does not. */
export interface RoutingRequest {
  readonly maxTokens?: number;
}

export interface Candidate {
  readonly id: string;
  /** Cost of a replica whose load is at most `f`. */
  readonly a: number;
  /** Cost of each lease above `f`. */
  readonly b: number;
  readonly f: number;
  /** A replica with this many leases is full and cannot be chosen. */
  readonly cap: number;
}

export interface Plan {
  /** Cheapest first at zero load, so that taking the first of several equals is taking the cheapest. */
  readonly candidates: readonly Candidate[];
  /** Why, for logs and experiments; a closed set of words per policy. */
  readonly explain: string;
}

export function costAt(candidate: Candidate, load: number): number {
  return candidate.a + candidate.b * Math.max(0, load - candidate.f);
}

/**
 * What the admission script does with a plan, written out: the reference its tests compare with, and the
 * simulator's choice. Null: every candidate is full, the job waits in the shared list (late binding).
 */
export function chooseReplica(plan: Plan, loadOf: (id: string) => number): string | null {
  let best: string | null = null;
  let bestCost = Number.POSITIVE_INFINITY;
  for (const candidate of plan.candidates) {
    const load = loadOf(candidate.id);
    if (load >= candidate.cap) continue;
    const cost = costAt(candidate, load);
    if (cost < bestCost) {
      best = candidate.id;
      bestCost = cost;
    }
  }
  return best;
}
