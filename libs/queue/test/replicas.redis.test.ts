import { openTestRedis, type TestRedis } from '@vortex/testkit';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import {
  createInspector,
  createSubmitter,
  keys,
  runScript,
  startCaretaker,
  texts,
  word,
} from '../src/index.ts';
import { beatReplica } from './beat-replica.ts';

let redis: TestRedis;
beforeAll(async () => {
  redis = await openTestRedis();
});
afterAll(() => redis.close());
beforeEach(() => redis.client.flushdb());

const urlOf = (number: number) => `http://127.0.0.1:90${number}`;
const candidatesOf = (count: number, slots: number) =>
  Array.from({ length: count }, (_, number) => ({ url: urlOf(number), workerName: `llm_${number}`, slots }));

/** A beat that the replica's own process would send. */
const beat = (number: number, leaseMs: number, state: 'up' | 'draining' = 'up', slots = 8) =>
  beatReplica(redis.client, { url: urlOf(number), workerName: `llm_${number}`, slots, leaseMs, state });

function job(id: string, candidates: ReturnType<typeof candidatesOf>) {
  return {
    list: 'job:encoder_in',
    lane: 'interactive' as const,
    id,
    deadlineAt: Date.now() + 600_000,
    envelope: { query: 'x' },
    cap: 10_000,
    candidates,
  };
}

/** Admits from `connections` submitters at once and tells how the queries were assigned. */
async function reserve(connections: number, each: number, candidates: ReturnType<typeof candidatesOf>) {
  const submitters = Array.from({ length: connections }, (_, number) =>
    createSubmitter({ redis, name: `r${number}`, caretaker: { tickMs: 0 } }),
  );
  try {
    await Promise.all(
      submitters.map(async (submitter) => {
        while (
          !(await submitter.enqueue(job(`warm-${submitter.name}`, [])).then(
            () => true,
            () => false,
          ))
        ) {
          await new Promise((resolve) => setImmediate(resolve));
        }
      }),
    );
    await Promise.all(
      submitters.flatMap((submitter) =>
        Array.from({ length: each }, (_, number) =>
          submitter.enqueue(job(`${submitter.name}-${number}`, candidates)),
        ),
      ),
    );
  } finally {
    await Promise.all(submitters.map((submitter) => submitter.close()));
  }
  const assigned = new Map<string, number>();
  for (const element of await redis.client.lrange('job:encoder_in', 0, -1)) {
    const envelope = JSON.parse(element);
    if (String(envelope.id).startsWith('warm')) continue;
    const url = envelope.replica?.url ?? 'none';
    assigned.set(url, (assigned.get(url) ?? 0) + 1);
  }
  return assigned;
}

test('200 concurrent reservations on 4 replicas of 8 slots: exactly 32 are granted', async () => {
  for (const number of [0, 1, 2, 3]) await beat(number, 10_000);
  const assigned = await reserve(40, 5, candidatesOf(4, 8));
  expect(assigned.get('none')).toBe(200 - 32);
  for (const number of [0, 1, 2, 3]) {
    expect(assigned.get(urlOf(number))).toBe(8);
    expect(await redis.client.get(keys.load(urlOf(number)))).toBe('8');
  }
});

test('32 simultaneous picks on 8 idle replicas give each 4 (a counter read beforehand gives 32 and 0)', async () => {
  for (let number = 0; number < 8; number += 1) await beat(number, 10_000);
  const assigned = await reserve(32, 1, candidatesOf(8, 8));
  expect([...assigned.values()]).toEqual(Array(8).fill(4));
});

test('nobody overtakes who waits in the shared list', async () => {
  await beat(0, 10_000);
  await redis.client.rpush(keys.sharedGeneratorList, 'waiting');
  expect(await reserve(1, 1, candidatesOf(1, 8))).toEqual(new Map([['none', 1]]));
});

test('a replica that drains, lapsed or never beat is not chosen', async () => {
  await beat(0, 10_000, 'draining');
  await beat(1, 0);
  expect(await reserve(1, 3, candidatesOf(3, 8))).toEqual(new Map([['none', 3]]));
});

test('expired leases do not count, and the beat drops them and mirrors the load', async () => {
  await redis.client.zadd(keys.leases(urlOf(0)), Date.now() - 1, 'orphan 1', Date.now() - 1, 'orphan 2');
  await redis.client.set(keys.load(urlOf(0)), '2');
  await beat(0, 10_000, 'up', 2);
  expect(await redis.client.get(keys.load(urlOf(0)))).toBe('0');
  expect(await reserve(1, 3, candidatesOf(1, 2))).toEqual(
    new Map([
      [urlOf(0), 2],
      ['none', 1],
    ]),
  );
});

test('a lapsed replica gives its list back in order, its expired leases go, its load is 0, and it shows as down', async () => {
  const url = urlOf(0);
  await beat(0, 0);
  await redis.client.rpush('job:llm_in', 'younger');
  await redis.client.rpush('job:llm_in:llm_0', 'first', 'second');
  await redis.client.zadd(keys.leases(url), Date.now() - 1, 'ran when it died');
  await redis.client.set(keys.load(url), '1');
  const commands = new Redis(redis.url);
  const caretaker = startCaretaker({ commands, tickMs: 0 });
  await caretaker.tick();
  expect(await redis.client.lrange('job:llm_in', 0, -1)).toEqual(['first', 'second', 'younger']);
  expect(await redis.client.llen('job:llm_in:llm_0')).toBe(0);
  expect(await redis.client.get(keys.load(url))).toBe('0');
  const inspector = createInspector(redis);
  while (!(await inspector.ping())) await new Promise((resolve) => setImmediate(resolve));
  expect(await inspector.replicas()).toEqual([
    {
      url,
      worker_name: 'llm_0',
      load: 0,
      slots: 8,
      state: 'down',
      breaker: expect.objectContaining({ state: 'closed' }),
      silent_ms: expect.any(Number),
    },
  ]);
  inspector.close();
  commands.disconnect();
});

test('a run takes the lease on the replica that runs it from the one it had been assigned to', async () => {
  const [mine, other] = [urlOf(0), urlOf(1)];
  await redis.client.zadd(keys.leases(other), Date.now() + 9000, 'q');
  await redis.client.set(keys.load(other), '1');
  const started = await runScript(
    redis.client,
    'start-lease',
    [keys.leases(mine), keys.load(mine), keys.leases(other), keys.load(other), keys.completion('q')],
    ['q', 10_000],
  );
  expect(word(started)).toBe('OK');
  expect(await redis.client.mget(keys.load(mine), keys.load(other))).toEqual(['1', '0']);
});

test('a run that has ended takes no lease any more, however late its start arrives', async () => {
  const url = urlOf(0);
  await redis.client.set(keys.completion('q'), '{}');
  const late = await runScript(
    redis.client,
    'start-lease',
    [keys.leases(url), keys.load(url), keys.none, keys.none, keys.completion('q')],
    ['q', 10_000],
  );
  expect(word(late)).toBe('ENDED');
  expect(await redis.client.exists(keys.leases(url))).toBe(0);
});

test('renewing extends what is held and never revives what has ended', async () => {
  const leases = keys.leases(urlOf(0));
  const soon = Date.now() + 60_000;
  await redis.client.zadd(leases, soon, 'running');
  const missing = await runScript(redis.client, 'renew-leases', [leases], [600_000, 'running', 'ended']);
  expect(texts(missing)).toEqual(['ended']);
  expect(await redis.client.zrange(leases, 0, '-1')).toEqual(['running']);
  expect(Number(await redis.client.zscore(leases, 'running'))).toBeGreaterThan(soon);
});
