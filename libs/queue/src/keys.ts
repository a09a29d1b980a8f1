import { batchGeneratorList, batchListOf, stageOfList, stages } from '@vortex/contracts';

/**
 * Every Redis key of the queue is built here and nowhere else, so that hash-tagged partitions (Redis
 * Cluster) can follow by changing one file. Scripts get them all in KEYS; none builds one.
 *
 * | key | type | what |
 * | --- | --- | --- |
 * | `<list>` | LIST | waiting elements; RPUSH in, left out. Anyone may push by hand |
 * | `<list>:proc:<wid>` | LIST | elements in flight with one worker incarnation |
 * | `<list>:retry` | ZSET | elements by the time they are due again |
 * | `<list>:dead` | LIST | dead letters, the newest: a thousand, or 16 MiB of them |
 * | `dead:size:<list>` | HASH | how many those are, and their bytes; goes with the last of them |
 * | `job:workers` | ZSET | `<list>\|<wid>` by the end of its lease |
 * | `job:live`, `job:live:low` | ZSET | admitted ids by deadline |
 * | `job:completion:<id>` | STRING | how a job ended, 60 s |
 * | `job:<id>` | HASH | a tracked job: until an hour after its end |
 * | `jobs:active` | SET | tracked jobs that have not ended |
 * | `jobs:recent` | LIST | tracked jobs, newest first, the last thousand |
 * | `job:done:<name>` | LIST | inbox of a submitter |
 * | `job:frames:<name>`, `job:cancel` | channel | answer frames; ids to drop |
 * | `job:cancelled` | ZSET | ids to drop, for who missed the message |
 * | `llm:replicas` | ZSET | replica URL by the end of its lease |
 * | `llm:replica:<url>` | HASH | worker_name, slots, state, list, until |
 * | `llm:inflight:<url>` | ZSET | ids by the end of their lease on a slot |
 * | `llm:load:<url>` | STRING | how many those are |
 * | `llm:pool` | HASH | replica URL: its breaker and pace (JSON); `budget`: retry tokens. An hour after the last report |
 * | `limit:spent:<key>` | HASH | of a key with limits: `tat`, when its requests so far are paid for; tokens of the minute and the day. Two days |
 * | `limit:queries:<key>` | ZSET | its queries under way by when they must have ended |
 * | `limit:reserved:<key>` | ZSET | of a key with tokens: `<id>:<tokens>` put by for questions under way, by when they must have ended |
 */
export type Lane = 'interactive' | 'low';

export const keys = {
  workers: 'job:workers',
  cancelled: 'job:cancelled',
  cancelChannel: 'job:cancel',
  replicas: 'llm:replicas',
  pool: 'llm:pool',
  active: 'jobs:active',
  recent: 'jobs:recent',
  sharedGeneratorList: stages.generate.list,
  batchGeneratorList,
  /** Stands for "there is none" where a script takes an optional key. */
  none: '',
  inFlight: (list: string, wid: string) => `${list}:proc:${wid}`,
  retry: (list: string) => `${returnList(list)}:retry`,
  dead: (list: string) => `${deadList(list)}:dead`,
  deadSize: (list: string) => `dead:size:${deadList(list)}`,
  live: (lane: Lane) => (lane === 'low' ? 'job:live:low' : 'job:live'),
  completion: (id: string) => `job:completion:${id}`,
  job: (id: string) => `job:${id}`,
  inbox: (name: string) => `job:done:${name}`,
  framesChannel: (name: string) => `job:frames:${name}`,
  replica: (url: string) => `llm:replica:${url}`,
  leases: (url: string) => `llm:inflight:${url}`,
  load: (url: string) => `llm:load:${url}`,
  spent: (keyId: string) => `limit:spent:${keyId}`,
  openQueries: (keyId: string) => `limit:queries:${keyId}`,
  reservations: (keyId: string) => `limit:reserved:${keyId}`,
} as const;

/**
 * Where work of a list goes when its worker is gone: a replica's own generator list is left for the
 * shared one, which any replica pulls from; every other list keeps its work.
 */
export function returnList(list: string): string {
  if (list === keys.batchGeneratorList) return list;
  return list.startsWith(`${keys.sharedGeneratorList}:`) ? keys.sharedGeneratorList : list;
}

/** Letters of both classes of a stage's jobs lie in one list. */
function deadList(list: string): string {
  const stage = stageOfList(list);
  return stage !== null && batchListOf(stage) === list ? stages[stage].list : returnList(list);
}

/** A worker incarnation's entry in `job:workers`, one per list it takes from. */
export function workerMember(list: string, wid: string): string {
  return `${list}|${wid}`;
}

export function readWorkerMember(member: string): { list: string; wid: string } | null {
  const bar = member.lastIndexOf('|');
  return bar <= 0 ? null : { list: member.slice(0, bar), wid: member.slice(bar + 1) };
}

/** A worker incarnation: begins with the name that people know it by, ends with its process and chance. */
export function workerId(name: string, host: string, pid: number, chance: string): string {
  return `${name.replaceAll(/[:|@\s]/g, '_')}@${host}-${pid}-${chance}`;
}

/** Of incarnations before they had it, the whole of it. */
export function workerNameOf(wid: string): string {
  const at = wid.lastIndexOf('@');
  return at <= 0 ? wid : wid.slice(0, at);
}

/** Glob of all in-flight lists. */
export const inFlightPattern = '*:proc:*';

export function readInFlightKey(key: string): { list: string; wid: string } | null {
  const parts = /^(.+):proc:([^:]+)$/.exec(key);
  return parts?.[1] === undefined || parts[2] === undefined ? null : { list: parts[1], wid: parts[2] };
}
