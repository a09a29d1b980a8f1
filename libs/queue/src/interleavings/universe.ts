import { keys, workerMember } from '../keys.ts';
import type { ScriptName } from '../scripts.ts';

/**
 * The small world the interleavings are played in: a chain of three lists of envelopes that ends at two generator
 * replicas, a list of bare ids, a few workers and a dozen ids. Small, so that they meet often.
 */
export const lists = {
  first: 'job:encoder_in',
  second: 'job:retriever_in',
  shared: keys.sharedGeneratorList,
  ids: 'queue:document_upload',
} as const;

export interface Replica {
  name: string;
  url: string;
  list: string;
}
export const replicas: readonly Replica[] = ['r1', 'r2'].map((name) => ({
  name,
  url: `http://${name}`,
  list: `${keys.sharedGeneratorList}:${name}`,
}));

export interface Worker {
  wid: string;
  lists: readonly string[];
  replica?: Replica;
}
export const workers: readonly Worker[] = [
  ...['e1', 'e2', 'e3'].map((wid) => ({ wid, lists: [lists.first] })),
  ...['s1', 's2'].map((wid) => ({ wid, lists: [lists.second] })),
  ...['u1', 'u2'].map((wid) => ({ wid, lists: [lists.ids] })),
  ...replicas.map((replica) => ({
    wid: `g-${replica.name}`,
    lists: [replica.list, lists.shared],
    replica,
  })),
];

/** Admitted through a submitter; pushed by hand; bare. */
export const queryIds = ['q0', 'q1', 'q2', 'q3', 'q4', 'q5'];
export const handIds = ['h0', 'h1'];
export const bareIds = ['u0', 'u1', 'u2'];
export const allIds = [...queryIds, ...handIds, ...bareIds];
export const inbox = keys.inbox('gw');

export const waitingLists = [
  lists.first,
  lists.second,
  lists.shared,
  lists.ids,
  ...replicas.map(({ list }) => list),
];
export const inFlightOf = workers.flatMap((worker) =>
  worker.lists.map((list) => ({
    list,
    worker,
    key: keys.inFlight(list, worker.wid),
    member: workerMember(list, worker.wid),
  })),
);
/** Lists that work returns to: they alone have a retry set and dead letters. */
export const homeLists = [lists.first, lists.second, lists.shared, lists.ids];

/** Targets where an outsider may put something of another type: whoever writes there must not lose its job. */
export const obstructible = [lists.first, lists.second, keys.retry(lists.first), keys.dead(lists.first)];

/** The letters of lua/proof/state.lua. */
type Kind = 'L' | 'l' | 'Z' | 'z' | 'S' | 'H' | 'h' | 'T' | 't';
export const universe: readonly (readonly [kind: Kind, key: string])[] = [
  ...waitingLists.map((list) => ['L', list] as const),
  ...inFlightOf.map(({ key }) => ['L', key] as const),
  ...homeLists.flatMap((list) => [
    ['Z', keys.retry(list)] as const,
    ['L', keys.dead(list)] as const,
    ['H', keys.deadSize(list)] as const,
  ]),
  ['Z', keys.workers],
  ['Z', keys.replicas],
  ...replicas.flatMap(({ url }) => [
    ['H', keys.replica(url)] as const,
    ['Z', keys.leases(url)] as const,
    ['T', keys.load(url)] as const,
  ]),
  ['Z', keys.live('interactive')],
  ['Z', keys.live('low')],
  ['S', keys.active],
  ['L', keys.recent],
  ['z', keys.cancelled],
  ['l', inbox],
  ...allIds.flatMap((id) => [['t', keys.completion(id)] as const, ['h', keys.job(id)] as const]),
];

export const kindOf: ReadonlyMap<string, Kind> = new Map(universe.map(([kind, key]) => [key, kind]));

/** What is sent to Redis: a script, or what time and outsiders do. */
export type Call =
  | { script: ScriptName; keys: readonly string[]; args: readonly string[] }
  | { command: 'FLUSHDB' | 'SET' | 'DEL' | 'RPUSH' | 'LPOP' | 'ZADD'; args: readonly string[] };

export const farFuture = 4_000_000_000_000;
export const leaseMs = 3_600_000;

export function idOf(element: string): string {
  return element.startsWith('{') ? (/"id":"([^"]+)"/.exec(element)?.[1] ?? '') : element;
}

export function replicaOf(element: string): string | undefined {
  return /"url":"([^"]+)"/.exec(element)?.[1];
}
