import { batchLists, stages } from '@vortex/contracts';
import { keys, readWorkerMember } from '@vortex/queue';
import type { Redis } from 'ioredis';
import { type Check, check } from './scenario.ts';

/**
 * What Redis may still hold when everything has ended: workers and replicas that beat, counts of open jobs and
 * loads that are 0, dead letters that were expected, and keys that expire. Read past the proxies.
 */
export interface Leftovers {
  /** Elements waiting, due again or in flight, by key. */
  elements: Record<string, number>;
  /** Ids that count as admitted and not ended. */
  live: string[];
  /** Generator leases and loads that are not 0, by key. */
  loads: Record<string, number>;
  /** Members of `job:workers` whose process is none of ours. */
  strangers: string[];
  /** Keys that neither expire nor belong to anything. */
  ownerless: string[];
  dead: Record<string, number>;
  openJobs: number;
}

export async function readLeftovers(redis: Redis, pids: readonly number[] | null): Promise<Leftovers> {
  const left: Leftovers = {
    elements: {},
    live: [],
    loads: {},
    strangers: [],
    ownerless: [],
    dead: {},
    openJobs: 0,
  };
  const members = await redis.zrange(keys.workers, '0', '-1');
  if (pids !== null)
    left.strangers = members.filter((member) => !pids.some((pid) => member.includes(`-${pid}-`)));
  const inFlight = new Set(
    members.flatMap((member) => {
      const worker = readWorkerMember(member);
      return worker === null ? [] : [keys.inFlight(worker.list, worker.wid)];
    }),
  );
  const replicas = await redis.zrange(keys.replicas, '0', '-1');
  for (const key of await allKeys(redis)) await judge(key);
  return left;

  async function judge(key: string): Promise<void> {
    const owned = ownerOf(key, replicas);
    if (owned === 'live') left.live.push(...(await redis.zrange(key, '0', '-1')));
    else if (owned === 'load') await count(left.loads, key, Number(await redis.get(key)));
    else if (owned === 'leases') await count(left.loads, key, await redis.zcard(key));
    else if (owned === 'dead') await count(left.dead, key, await redis.llen(key));
    else if (owned === 'active') left.openJobs = await redis.scard(key);
    else if (owned === 'waiting') await count(left.elements, key, await redis.llen(key));
    else if (owned === 'retry') await count(left.elements, key, await redis.zcard(key));
    else if (/:proc:/.test(key)) {
      await count(left.elements, key, await redis.llen(key));
      if (!inFlight.has(key)) left.ownerless.push(key);
    } else if (owned === null && (await redis.pttl(key)) === -1) left.ownerless.push(key);
  }

  async function count(into: Record<string, number>, key: string, number: number): Promise<void> {
    if (number !== 0) into[key] = number;
  }
}

type Owned = 'live' | 'load' | 'leases' | 'dead' | 'active' | 'waiting' | 'retry' | 'known';

const lists: ReadonlySet<string> = new Set([
  ...Object.values(stages).map(({ list }) => list),
  ...Object.values(batchLists),
]);

/** Null: nobody's, so it has to expire by itself. */
function ownerOf(key: string, replicas: readonly string[]): Owned | null {
  if (key === keys.live('interactive') || key === keys.live('low')) return 'live';
  if (key === keys.active) return 'active';
  const known: string[] = [keys.workers, keys.replicas, keys.recent, keys.cancelled];
  if (known.includes(key)) return 'known';
  for (const url of replicas) {
    if (key === keys.load(url)) return 'load';
    if (key === keys.leases(url)) return 'leases';
    if (key === keys.replica(url)) return 'known';
  }
  if ([...lists].some((list) => key === keys.deadSize(list))) return 'known';
  const plain = key.replace(/:(retry|dead)$/, '');
  if (!lists.has(plain) && !plain.startsWith(`${keys.sharedGeneratorList}:`)) return null;
  if (/:proc:/.test(key)) return null;
  return key.endsWith(':dead') ? 'dead' : key.endsWith(':retry') ? 'retry' : 'waiting';
}

async function allKeys(redis: Redis): Promise<string[]> {
  const found = new Set<string>();
  let cursor = '0';
  do {
    const [next, some] = await redis.scan(cursor, 'COUNT', 1000);
    for (const key of some) found.add(key);
    cursor = next;
  } while (cursor !== '0');
  return [...found];
}

export function isClean(left: Leftovers): boolean {
  return leftoverChecks(left, null).every(({ ok }) => ok);
}

/** `expectedDead`: letters that the scenario's own bad jobs leave; null: not looked at. */
export function leftoverChecks(left: Leftovers, expectedDead: number | null): Check[] {
  const dead = Object.values(left.dead).reduce((sum, count) => sum + count, 0);
  const checks = [
    check('lists, retries and in-flight lists are empty', none(left.elements), show(left.elements)),
    check('no id counts as admitted any more', left.live.length === 0, left.live.slice(0, 5).join(' ') || 0),
    check('loads and leases on replicas are 0', none(left.loads), show(left.loads)),
    check('every lease is a living worker’s', left.strangers.length === 0, left.strangers.join(' ') || 'yes'),
    check(
      'no key without a TTL or an owner',
      left.ownerless.length === 0,
      left.ownerless.join(' ') || 'none',
    ),
    check('no tracked job is open', left.openJobs === 0, left.openJobs),
  ];
  if (expectedDead !== null) {
    checks.push(check(`dead letters: ${expectedDead}`, dead === expectedDead, show(left.dead)));
  }
  return checks;
}

const none = (counts: Record<string, number>) => Object.keys(counts).length === 0;
const show = (counts: Record<string, number>) =>
  none(counts)
    ? '0'
    : Object.entries(counts)
        .map(([key, count]) => `${key} ${count}`)
        .join(', ');
