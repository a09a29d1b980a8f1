import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';
import { observerOf } from './observe-redis.ts';

/**
 * The catalogue of scripts: name, keys and arguments, in the order the Lua file's header gives them
 * (scripts.test.ts compares). `each` names what repeats at the end.
 */
export const scriptTable = {
  admit: {
    keys: ['live', 'list', 'shared', 'job', 'active', 'recent', 'pool'],
    eachKey: { per: 'candidate', names: ['leases', 'load', 'replica'] },
    args: ['id', 'deadline', 'cap', 'opening', 'element', 'fields'],
    eachArg: { per: 'candidate', names: ['slots', 'url', 'fragment'] },
  },
  'admit-many': {
    keys: ['live', 'list', 'active', 'recent'],
    eachKey: { per: 'job', names: ['job'] },
    args: ['cap', 'fields', 'keep_s'],
    eachArg: { per: 'job', names: ['id', 'deadline', 'element', 'payload'] },
  },
  'admit-owed': { keys: ['live', 'list', 'completion'], args: ['id', 'deadline', 'element', 'end'] },
  claim: { keys: [], eachKey: { per: 'source', names: ['source', 'inflight'] }, args: ['want'] },
  handoff: {
    keys: ['inflight', 'next'],
    args: [],
    eachArg: { per: 'job', names: ['old', 'new'] },
  },
  finish: {
    keys: ['inflight', 'live', 'inbox', 'leases', 'load', 'active'],
    eachKey: { per: 'job', names: ['completion', 'job'] },
    args: [],
    eachArg: { per: 'job', names: ['old', 'id', 'value', 'fields'] },
  },
  retry: {
    keys: ['inflight', 'retry', 'job', 'leases', 'load', 'pool'],
    args: ['old', 'new', 'delay_ms', 'id', 'fields', 'cost'],
  },
  promote: { keys: ['retry', 'list'], args: ['limit'] },
  bury: {
    keys: [
      'inflight',
      'dead',
      'completion',
      'live',
      'inbox',
      'job',
      'leases',
      'load',
      'workers',
      'active',
      'size',
    ],
    args: ['old', 'letter', 'id', 'value', 'fields', 'member'],
  },
  redrive: {
    keys: ['dead', 'size', 'list', 'live', 'completion', 'cancelled', 'job', 'active', 'recent'],
    args: ['letter', 'element', 'id', 'deadline', 'cap', 'first', 'fields'],
  },
  'drop-letter': { keys: ['dead', 'size'], args: ['letter'] },
  'give-back': { keys: ['inflight', 'list', 'leases', 'load'], args: ['old', 'id'] },
  beat: {
    keys: ['workers'],
    eachKey: { per: 'generator', names: ['replicas', 'replica', 'leases', 'load'] },
    args: ['lease_ms', 'members'],
    eachArg: { per: 'generator', names: ['url', 'worker_name', 'slots', 'state', 'list'] },
  },
  leave: {
    keys: ['workers', 'replicas', 'replica', 'leases', 'load'],
    eachKey: { per: 'member', names: ['inflight'] },
    args: ['url'],
    eachArg: { per: 'member', names: ['member'] },
  },
  'start-lease': {
    keys: ['leases', 'load', 'other leases', 'other load', 'completion'],
    args: ['id', 'lease_ms'],
  },
  'renew-leases': { keys: ['leases'], args: ['lease_ms'], eachArg: { per: 'job', names: ['id'] } },
  'sweep-replica': {
    keys: ['replicas', 'replica', 'leases', 'load', 'own list', 'shared list'],
    args: ['url', 'forget_ms'],
  },
  report: { keys: ['pool', 'own list', 'shared list'], args: ['url', 'notes', 'rules', 'jitter'] },
  'drain-replica': { keys: ['pool', 'replica'], args: ['url', 'word'] },
  'return-list': { keys: ['own list', 'shared list'], args: ['limit'] },
  overdue: { keys: ['workers', 'replicas', 'live', 'live low'], args: ['grace_ms', 'limit'] },
  'reap-one': {
    keys: ['workers', 'inflight', 'list', 'leases', 'load'],
    args: ['member', 'old', 'new', 'end', 'id'],
  },
  'forget-worker': { keys: ['workers', 'inflight'], args: ['member'] },
  'adopt-orphan': { keys: ['workers', 'inflight'], args: ['member', 'lease_ms'] },
  'expire-one': {
    keys: ['live', 'completion', 'job', 'active'],
    args: ['id', 'value', 'fields', 'grace_ms'],
  },
  cancel: { keys: ['cancelled', 'channel'], args: ['id', 'keep_ms'] },
  begin: {
    keys: ['inflight', 'live', 'job', 'active', 'recent'],
    args: ['old', 'id', 'deadline', 'first', 'fields'],
  },
  mark: { keys: ['job'], args: ['fields'] },
  'sweep-active': {
    keys: ['active'],
    eachKey: { per: 'job', names: ['job'] },
    args: [],
    eachArg: { per: 'job', names: ['id'] },
  },
  'judge-request': {
    keys: ['spent', 'queries', 'reserved'],
    args: ['per_minute', 'burst', 'minute_tokens', 'day_tokens', 'concurrent', 'id', 'lease_ms'],
  },
  'charge-tokens': { keys: ['spent', 'reserved'], args: ['tokens', 'id'] },
  inspect: {
    keys: ['list', 'retry', 'dead'],
    eachKey: { per: 'worker', names: ['inflight'] },
    args: [],
  },
} as const satisfies Record<string, ScriptRow>;

export interface ScriptRow {
  keys: readonly string[];
  eachKey?: { per: string; names: readonly string[] };
  args: readonly string[];
  eachArg?: { per: string; names: readonly string[] };
}

export type ScriptName = keyof typeof scriptTable;
export const scriptNames = Object.keys(scriptTable) as ScriptName[];

type Argument = string | number | Buffer;
type Fixed<Names extends readonly string[], Value> = { [Place in keyof Names]: Value };
export type KeysOf<Name extends ScriptName> = (typeof scriptTable)[Name] extends { eachKey: unknown }
  ? [...Fixed<(typeof scriptTable)[Name]['keys'], string>, ...string[]]
  : [...Fixed<(typeof scriptTable)[Name]['keys'], string>];
type ArgsOf<Name extends ScriptName> = (typeof scriptTable)[Name] extends { eachArg: unknown }
  ? [...Fixed<(typeof scriptTable)[Name]['args'], Argument>, ...Argument[]]
  : [...Fixed<(typeof scriptTable)[Name]['args'], Argument>];

const folder = new URL('../lua/', import.meta.url);

/** The text of a script with its `--include` lines resolved (files of lua/includes). */
export function scriptText(name: ScriptName): string {
  const text = readFileSync(new URL(`${name}.lua`, folder), 'utf8');
  return text.replace(/^--include (\S+)$/gm, (_line, include: string) =>
    readFileSync(new URL(`includes/${include}.lua`, folder), 'utf8').trimEnd(),
  );
}

const loaded = Object.fromEntries(
  scriptNames.map((name) => {
    const text = scriptText(name);
    return [name, { text, sha: createHash('sha1').update(text).digest('hex') }];
  }),
) as Record<ScriptName, { text: string; sha: string }>;

export type Reply = Buffer | number | null | Reply[];

/**
 * Runs a script by its hash, and by its text where Redis does not know it (a new Redis, `SCRIPT FLUSH`,
 * a failover). Bulk replies are Buffers: an element pushed by hand may be no valid UTF-8, and must still
 * be recognised byte for byte.
 */
export async function runScript<Name extends ScriptName>(
  redis: Redis,
  name: Name,
  keys: KeysOf<Name>,
  args: ArgsOf<Name>,
): Promise<Reply> {
  const script = loaded[name];
  const observer = observerOf(redis);
  const startedAt = observer === undefined ? 0 : performance.now();
  try {
    return (await redis.callBuffer('EVALSHA', script.sha, keys.length, ...keys, ...args)) as Reply;
  } catch (error) {
    if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
    return (await redis.callBuffer('EVAL', script.text, keys.length, ...keys, ...args)) as Reply;
  } finally {
    observer?.script(name, performance.now() - startedAt);
  }
}

/** A reply that is one word, e.g. OK, FENCED, DUP. */
export function word(reply: Reply): string {
  if (Buffer.isBuffer(reply)) return reply.toString('latin1');
  throw new TypeError(`a script answered ${JSON.stringify(reply)} where a word was expected`);
}

/** A reply that is one word for all, or one for each of `count`. */
export function words(reply: Reply, count: number): string[] {
  return Array.isArray(reply) ? reply.map((entry) => word(entry)) : Array<string>(count).fill(word(reply));
}

/** A reply that is a list of texts. */
export function texts(reply: Reply | undefined): string[] {
  if (!Array.isArray(reply)) return [];
  return reply.flatMap((entry) => (Buffer.isBuffer(entry) ? [entry.toString()] : []));
}
