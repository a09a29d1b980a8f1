import { batchLists, stageNames, stages } from '@vortex/contracts';
import { keys } from './keys.ts';
import { type ScriptName, type ScriptRow, scriptTable, scriptText } from './scripts.ts';

/**
 * What each service may do in the queue's Redis. An activity names its scripts and the commands it sends beside them;
 * which commands a script runs is read from its text, and which keys it is given from its row in the catalogue, so
 * that a script that learns something new takes its right along.
 *
 * What this can hold and what not:
 * - Commands and channels differ by role: nobody but a submitter reads an inbox, nobody but a gateway redrives.
 * - Keys hardly do. Every service is a caretaker, and a caretaker gives back the jobs of any worker (caretaker.ts); and
 *   `job:<id>` is a glob over most of the key space. The patterns keep a service out of what is not the queue's.
 * - Redis takes every key of EVALSHA for read and written, so `%R~` and `%W~` would hold nothing here.
 * - EVAL stays allowed, for a Redis that has lost its scripts: a service that is not ours any more may run any Lua,
 *   within its own commands and keys.
 */
export interface RedisAccess {
  commands: readonly string[];
  keys: readonly string[];
  channels: readonly string[];
}

/** Users of services. `vortex` is one user for all of them: for a Redis of one's own, which has one address. */
export type QueueRole = 'gateway' | 'encoder' | 'retriever' | 'generator' | 'ingest' | 'vortex' | 'exporter';

interface Activity {
  scripts?: readonly ScriptName[];
  commands?: readonly string[];
  keys?: readonly KeyName[];
  channels?: readonly string[];
}

type Row = (typeof scriptTable)[ScriptName];
type KeyName = Row['keys'][number] | Extract<Row, { eachKey: unknown }>['eachKey']['names'][number];

const lists = [
  ...stageNames.map((stage) => stages[stage].list),
  ...Object.values(batchLists),
  // A replica's own.
  `${keys.sharedGeneratorList}:*`,
];

/** Every place a script's keys can point to, under the names of the catalogue. */
const patterns: Record<KeyName, readonly string[]> = {
  live: [keys.live('interactive'), keys.live('low')],
  'live low': [keys.live('low')],
  list: lists,
  next: lists,
  source: lists,
  shared: [keys.sharedGeneratorList],
  'shared list': [keys.sharedGeneratorList],
  'own list': lists,
  inflight: lists.map((list) => keys.inFlight(list, '*')),
  retry: lists.map(keys.retry),
  dead: lists.map(keys.dead),
  size: lists.map(keys.deadSize),
  job: [keys.job('*')],
  completion: [keys.completion('*')],
  active: [keys.active],
  recent: [keys.recent],
  inbox: [keys.inbox('*')],
  workers: [keys.workers],
  cancelled: [keys.cancelled],
  channel: [keys.cancelChannel],
  pool: [keys.pool],
  replicas: [keys.replicas],
  replica: [keys.replica('*')],
  leases: [keys.leases('*')],
  'other leases': [keys.leases('*')],
  load: [keys.load('*')],
  'other load': [keys.load('*')],
  spent: [keys.spent('*')],
  queries: [keys.openQueries('*')],
  reserved: [keys.reservations('*')],
};

/** Every client does this (connect.ts). ioredis asks INFO whether a server is loading. */
const connecting: Activity = { commands: ['ping', 'info', 'select', 'client|setname'] };

const looking: Activity = {
  scripts: ['inspect'],
  commands: ['get', 'hget', 'hgetall', 'hmget', 'lrange', 'scard', 'time', 'zrange'],
  keys: ['job', 'completion', 'workers', 'replicas', 'replica', 'load', 'pool', 'active', 'dead'],
};

const caretaking: Activity = {
  scripts: [
    ...(['overdue', 'reap-one', 'forget-worker', 'adopt-orphan', 'bury'] as const),
    ...(['sweep-replica', 'sweep-active', 'expire-one'] as const),
  ],
  commands: ['hget', 'lrange', 'scan', 'sscan', 'zrem'],
};

const working: Activity = {
  scripts: [
    ...(['claim', 'begin', 'handoff', 'finish', 'retry', 'bury', 'give-back', 'promote'] as const),
    ...(['beat', 'leave', 'mark'] as const),
  ],
  commands: [
    ...['blmove', 'client|id', 'client|unblock', 'exists', 'llen', 'lrange', 'publish'],
    ...['subscribe', 'unsubscribe', 'zrange'],
  ],
  keys: ['cancelled'],
  // Whose frames they are the envelope says; a worker listens for what is cancelled only.
  channels: [keys.framesChannel('*'), keys.cancelChannel],
};

const generating: Activity = {
  scripts: ['start-lease', 'renew-leases', 'report', 'return-list', 'charge-tokens'],
};

const submitting: Activity = {
  scripts: ['admit', 'admit-many', 'admit-owed', 'cancel', 'drain-replica'],
  commands: ['blmpop', 'client|id', 'client|unblock', 'mget', 'zmscore', 'zrem', 'subscribe', 'unsubscribe'],
  keys: ['inbox'],
  channels: [keys.framesChannel('*'), keys.cancelChannel],
};

/** Requests of keys with limits; a query's place is given back by hand. */
const limiting: Activity = { scripts: ['judge-request'], commands: ['zrem'] };

const redriving: Activity = {
  scripts: ['redrive', 'drop-letter'],
  commands: ['llen', 'lrange', 'zcard'],
};

const roleActivities: Record<Exclude<QueueRole, 'vortex' | 'exporter'>, readonly Activity[]> = {
  gateway: [connecting, looking, caretaking, submitting, limiting, redriving],
  encoder: [connecting, caretaking, working],
  retriever: [connecting, caretaking, working],
  generator: [connecting, caretaking, working, generating],
  ingest: [connecting, looking, caretaking, working, submitting],
};

export const queueRoles = Object.keys(roleActivities) as (keyof typeof roleActivities)[];

export function scriptsOf(role: keyof typeof roleActivities): ScriptName[] {
  return unique(roleActivities[role].flatMap(({ scripts = [] }) => scripts));
}

export function queueAccess(): Record<QueueRole, RedisAccess> {
  const services = Object.entries(roleActivities).map(([role, activities]) => [role, accessOf(activities)]);
  return {
    ...(Object.fromEntries(services) as Record<keyof typeof roleActivities, RedisAccess>),
    vortex: accessOf(Object.values(roleActivities).flat()),
    exporter: {
      commands: [...exporterCommands, 'llen', 'type', 'hlen', 'scard', 'strlen', 'zcard'].sort(),
      keys: covering(lists).map((list) => `%R~${list}`),
      channels: [],
    },
  };
}

/** What the metrics exporter asks a Redis, beside the lengths of lists. No CONFIG: it would tell every setting. */
export const exporterCommands = [
  ...['ping', 'info', 'select', 'client|setname', 'slowlog|len', 'slowlog|get'],
  ...['latency|latest', 'latency|histogram'],
] as const;

function accessOf(activities: readonly Activity[]): RedisAccess {
  const scripts = unique(activities.flatMap((activity) => activity.scripts ?? []));
  const names = unique([
    ...activities.flatMap((activity) => activity.keys ?? []),
    ...scripts.flatMap((script) => keyNames(scriptTable[script])),
  ]);
  return {
    commands: unique([
      ...activities.flatMap((activity) => activity.commands ?? []),
      ...scripts.flatMap((script) => commandsIn(scriptText(script))),
      ...(scripts.length > 0 ? ['eval', 'evalsha'] : []),
    ]).sort(),
    // A key a script can do without is passed as the empty name.
    keys: covering([keys.none, ...names.flatMap((name) => patterns[name])]).map((pattern) => `~${pattern}`),
    channels: unique(activities.flatMap((activity) => activity.channels ?? [])).sort(),
  };
}

function keyNames(row: Row): KeyName[] {
  const { keys: fixed, eachKey }: ScriptRow = row;
  return [...fixed, ...(eachKey?.names ?? [])] as KeyName[];
}

/** Keys as a script of the queue is given them, of one job on one list. */
export function sampleKeys(script: ScriptName): string[] {
  return keyNames(scriptTable[script]).map((name) => (patterns[name][0] ?? '').replace('*', 'x'));
}

/** The commands a script sends; `redis.call(… == 'HEAD' and 'LPUSH' or 'RPUSH', …)` sends two. */
function commandsIn(script: string): string[] {
  const calls = [...script.replaceAll(/--.*$/gm, '').matchAll(/redis\.p?call\(([^,)]*)/g)];
  return unique(
    calls.flatMap(([call, first = '']) => {
      const commands = [...first.matchAll(/(?<!== )'([A-Z]+)'/g)].flatMap(([, command = '']) => command);
      if (commands.length === 0) throw new Error(`which command is this: ${call}?`);
      return commands.map((command) => command.toLowerCase());
    }),
  );
}

/** Without the patterns that another one matches as well. */
function covering(globs: readonly string[]): string[] {
  const all = unique(globs).sort();
  return all.filter((glob) => !all.some((other) => other !== glob && covers(other, glob)));
}

function covers(wide: string, narrow: string): boolean {
  return wide.endsWith('*') && narrow.startsWith(wide.slice(0, -1));
}

function unique<Value>(values: readonly Value[]): Value[] {
  return [...new Set(values)];
}
