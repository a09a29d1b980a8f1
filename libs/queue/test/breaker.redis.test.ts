import { openTestRedis, type TestRedis, until } from '@vortex/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  type BreakerRules,
  createInspector,
  defaultBreakerRules,
  keys,
  type ReplicaNotes,
  type ReplicaVerdict,
  reportReplica,
  runScript,
  word,
} from '../src/index.ts';
import { beatReplica } from './beat-replica.ts';

/** Over 300 lines: every door of the breaker's states is opened from the same pool of replicas. */

let redis: TestRedis;
beforeAll(async () => {
  redis = await openTestRedis();
});
afterAll(() => redis.close());
beforeEach(() => redis.client.flushdb());

const slots = 4;
const urlOf = (number: number) => `http://127.0.0.1:90${number}`;
const listOf = (number: number) => `job:llm_in:llm_${number}`;
/** An open breaker that is due for a probe at once, and one that stays open for longer than any test. */
const soon: BreakerRules = { ...defaultBreakerRules, open_ms: 1, max_open_ms: 1 };
const never: BreakerRules = { ...defaultBreakerRules, open_ms: 3_600_000, max_open_ms: 3_600_000 };

function report(number: number, notes: Partial<ReplicaNotes> = {}, rules = never): Promise<ReplicaVerdict> {
  return reportReplica(redis.client, {
    url: urlOf(number),
    list: listOf(number),
    notes: { worker_name: `llm_${number}`, slots, ok: 0, failed: 0, streak: 0, begun: 0, ...notes },
    rules,
  });
}
const fail = (number: number, times = 5, rules = never) =>
  report(number, { failed: times, streak: times }, rules);
const succeed = (number: number, times = 1, rules = never) => report(number, { ok: times }, rules);

async function startReplicas(count: number): Promise<void> {
  for (let number = 0; number < count; number += 1) {
    await beatReplica(redis.client, { url: urlOf(number), workerName: `llm_${number}`, slots });
    await report(number);
  }
}

interface Assigned {
  number: number | null;
  probe: boolean;
}

let admitted = 0;
/** Admits one query with all replicas as candidates and tells whose it became. */
async function admit(count: number): Promise<Assigned> {
  admitted += 1;
  const id = `q${admitted}`;
  const numbers = Array.from({ length: count }, (_, number) => number);
  const reply = await runScript(
    redis.client,
    'admit',
    [
      keys.live('interactive'),
      `list:${id}`,
      keys.sharedGeneratorList,
      keys.none,
      keys.active,
      keys.recent,
      keys.pool,
      ...numbers.map(urlOf).flatMap((url) => [keys.leases(url), keys.load(url), keys.replica(url)]),
    ],
    [
      id,
      Date.now() + 60_000,
      10_000,
      '{',
      `"id":"${id}"}`,
      '',
      ...numbers.flatMap((number) => [
        slots,
        urlOf(number),
        `"replica":${JSON.stringify({ worker_name: `llm_${number}`, url: urlOf(number) })},`,
      ]),
    ],
  );
  expect(word(reply)).toBe('OK');
  const { replica } = JSON.parse((await redis.client.lindex(`list:${id}`, 0)) ?? '{}');
  return {
    number: replica === undefined ? null : numbers.findIndex((number) => urlOf(number) === replica.url),
    probe: replica?.probe === true,
  };
}
const admitMany = async (times: number, count: number) =>
  Promise.all(Array.from({ length: times }, () => admit(count)));
const sharesOf = (assigned: Assigned[]) =>
  Object.fromEntries(
    [0, 1, 2, null].map((number) => [String(number), assigned.filter((one) => one.number === number).length]),
  );

describe('opening', () => {
  test('five failures in a row; four, or five with a success between, are not enough', async () => {
    await startReplicas(3);
    expect((await fail(0, 4)).state).toBe('closed');
    expect((await report(0, { ok: 9, failed: 4, streak: 4 })).state).toBe('closed');
    expect(await fail(0, 1)).toMatchObject({ state: 'open', from: 'closed', slots: 0, shared: false });
  });

  test('a half of eight calls, even when no five of them follow each other', async () => {
    await startReplicas(3);
    for (let pair = 0; pair < 3; pair += 1) {
      await succeed(0);
      expect((await fail(0, 1)).state).toBe('closed');
    }
    await succeed(0);
    expect((await fail(0, 1)).state).toBe('open');
  });

  test('two failures that cost a timeout', async () => {
    await startReplicas(3);
    expect((await report(0, { failed: 1, streak: 3 })).state).toBe('closed');
    expect((await report(0, { failed: 1, streak: 3 })).state).toBe('open');
  });

  test('its list returns to the shared one, in its order, and nothing is assigned to it', async () => {
    await startReplicas(3);
    await redis.client.rpush(listOf(0), 'a', 'b');
    await redis.client.rpush(keys.sharedGeneratorList, 'c');
    await fail(0);
    expect(await redis.client.lrange(keys.sharedGeneratorList, 0, -1)).toEqual(['a', 'b', 'c']);
    await redis.client.del(keys.sharedGeneratorList);
    expect(sharesOf(await admitMany(9, 3))).toEqual({ '0': 0, '1': 4, '2': 4, null: 1 });
  });

  test('each time it opens soon after it closed it stays open twice as long, up to the limit', async () => {
    await startReplicas(3);
    const rules = { ...never, open_ms: 1000, max_open_ms: 3000, window_ms: 1 };
    const openMs: number[] = [];
    for (let time = 0; time < 3; time += 1) {
      await report(0, { failed: 5, streak: 5 }, rules);
      const entry = JSON.parse((await redis.client.hget(keys.pool, urlOf(0))) ?? '{}');
      openMs.push(entry.open_until - entry.opened_at);
      await redis.client.hset(keys.pool, urlOf(0), JSON.stringify({ ...entry, state: 'half_open' }));
      expect((await succeed(0, 2, rules)).state).toBe('closed');
    }
    for (const [time, most] of [1000, 2000, 3000].entries()) {
      expect(openMs[time]).toBeLessThanOrEqual(most);
      expect(openMs[time]).toBeGreaterThanOrEqual(0.75 * most - 1);
    }
  });
});

describe('half open', () => {
  test('40 queries at once: exactly one is the probe', async () => {
    await startReplicas(3);
    await fail(0, 5, soon);
    await until('it is due', async () => (await redis.client.hgetall(keys.pool))[urlOf(0)]?.includes('open'));
    const assigned = await admitMany(40, 3);
    expect(assigned.filter((one) => one.probe)).toEqual([{ number: 0, probe: true }]);
    expect(sharesOf(assigned)).toEqual({ '0': 1, '1': 4, '2': 4, null: 31 });
  });

  test('a probe that fails opens it again; two that go well close it', async () => {
    await startReplicas(3);
    await fail(0, 5, soon);
    await untilProbe();
    expect(await fail(0, 1, soon)).toMatchObject({ state: 'open', trips: 2 });
    await untilProbe();
    expect((await succeed(0)).state).toBe('half_open');
    expect((await admit(3)).probe).toBe(true);
    expect(await succeed(0)).toMatchObject({ state: 'closed', slots: 1 });
  });

  test('a prober that died holds nobody up: its lease lapses', async () => {
    await startReplicas(3);
    await fail(0, 5, soon);
    await untilProbe();
    expect((await admit(3)).probe).toBe(false);
    await report(0, { probing: true }, { ...soon, probe_ms: 1 });
    await untilProbe();
  });

  test('a probe that said nothing makes way for the next', async () => {
    await startReplicas(3);
    await fail(0, 5, soon);
    await untilProbe();
    await report(0, { released: true });
    expect((await admit(3)).probe).toBe(true);
  });

  async function untilProbe(): Promise<void> {
    await until('a query becomes the probe', async () => (await admit(3)).probe);
  }
});

test('slow start: one at a time, then two, then as many as there are slots', async () => {
  await startReplicas(3);
  await fail(0);
  const entry = JSON.parse((await redis.client.hget(keys.pool, urlOf(0))) ?? '{}');
  await redis.client.hset(keys.pool, urlOf(0), JSON.stringify({ ...entry, state: 'half_open' }));
  expect((await succeed(0, 2)).slots).toBe(1);
  expect(sharesOf(await admitMany(12, 3))).toEqual({ '0': 1, '1': 4, '2': 4, null: 3 });
  expect((await succeed(0)).slots).toBe(2);
  expect((await succeed(0)).slots).toBe(2);
  expect((await succeed(0)).slots).toBe(slots);
});

describe('most of the pool fails', () => {
  test('all of it: half of the slots stay in use, fewest failures first', async () => {
    await startReplicas(3);
    await succeed(2, 7);
    await succeed(1, 3);
    for (const number of [0, 1, 2]) await fail(number, 9);
    expect(await report(0)).toMatchObject({ slots: 0, shared: false });
    expect(await report(1)).toMatchObject({ state: 'open', slots, shared: true });
    expect(await report(2)).toMatchObject({ state: 'open', slots, shared: true });
    expect(sharesOf(await admitMany(9, 3))).toEqual({ '0': 0, '1': 4, '2': 4, null: 1 });
    expect((await succeed(2, 2)).state).toBe('closed');
  });

  test('two of three: the healthy one first, of the others one query at a time, and none from the shared list', async () => {
    await startReplicas(3);
    await succeed(1, 3);
    for (const number of [0, 1]) await fail(number, 9);
    expect(await report(1)).toMatchObject({ slots: 1, shared: false });
    expect(sharesOf(await admitMany(9, 3))).toEqual({ '0': 0, '1': 1, '2': 4, null: 4 });
  });

  test('the only replica is always used', async () => {
    await startReplicas(1);
    expect(await fail(0)).toMatchObject({ state: 'open', slots, shared: true });
    expect((await admit(1)).number).toBe(0);
  });
});

test('a probe nobody hears of holds its place as long as the rules of the last report say', async () => {
  for (const [probe_ms, second] of [
    [60_000, false],
    [0, true],
  ] as const) {
    await redis.client.flushdb();
    await startReplicas(1);
    await fail(0, 5, { ...soon, probe_ms });
    await until('a probe is due', async () => (await admit(1)).probe);
    expect((await admit(1)).probe).toBe(second);
  }
});

describe('retry budget', () => {
  const proc = keys.inFlight('job:llm_in', 'w1');
  const retry = async (id: string) => {
    await redis.client.rpush(proc, id);
    const reply = await runScript(
      redis.client,
      'retry',
      [proc, keys.retry('job:llm_in'), keys.none, keys.none, keys.none, keys.pool],
      [id, id, 0, id, '', 1],
    );
    return word(reply);
  };

  test('ten at once, then one for each ten first tries; who gets none stays where it was', async () => {
    const said = await Promise.all(Array.from({ length: 12 }, (_, number) => retry(`r${number}`)));
    expect(said.filter((one) => one === 'OK')).toHaveLength(10);
    expect(said.filter((one) => one === 'BROKE')).toHaveLength(2);
    expect(await redis.client.llen(proc)).toBe(2);
    expect((await report(0, { begun: 10 })).budget).toBeCloseTo(1);
    expect(await retry('late')).toBe('OK');
    expect(await retry('later')).toBe('BROKE');
  });

  test('is said to be full before any replica has reported, as the first report finds it', async () => {
    const inspector = createInspector(redis);
    await until('the inspector is connected', () => inspector.ping());
    const unreported = await inspector.retryBudget();
    inspector.close();
    expect(unreported).toBe((await report(0)).budget);
  });

  test('never more than ten by tries; a replica that is taken out adds its slots, once', async () => {
    await startReplicas(3);
    expect((await report(0, { begun: 1000 })).budget).toBe(10);
    expect((await fail(0)).budget).toBe(10 + slots);
    expect((await report(1, { begun: 1000 })).budget).toBe(10 + slots);
  });
});

describe('drained by a person', () => {
  const order = async (number: number, said: 'DRAIN' | 'RESUME') =>
    word(
      await runScript(
        redis.client,
        'drain-replica',
        [keys.pool, keys.replica(urlOf(number))],
        [urlOf(number), said],
      ),
    );

  test('takes nothing new, gives back its list, outlives a restart, and comes back slowly', async () => {
    await startReplicas(3);
    await redis.client.rpush(listOf(0), 'a');
    expect(await order(0, 'DRAIN')).toBe('OK');
    expect(sharesOf(await admitMany(8, 3))).toEqual({ '0': 0, '1': 4, '2': 4, null: 0 });
    await report(0, { leaving: true });
    expect(await report(0)).toMatchObject({ drained: true, slots: 0, shared: false });
    expect(await redis.client.lrange(keys.sharedGeneratorList, 0, -1)).toEqual(['a']);
    const inspector = createInspector(redis);
    await until('the inspector is connected', () => inspector.ping());
    expect((await inspector.replicas())[0]).toMatchObject({
      state: 'draining',
      breaker: { state: 'closed' },
    });
    inspector.close();
    await order(0, 'RESUME');
    expect(await report(0)).toMatchObject({ drained: false, slots: 1, shared: true });
  });

  test('a replica that nobody knows', async () => {
    expect(await order(7, 'DRAIN')).toBe('UNKNOWN');
    expect(await redis.client.exists(keys.pool)).toBe(0);
  });
});

test('the pace of the others: the slowest healthy one’s, and none of those that are out', async () => {
  await startReplicas(3);
  await report(1, { first_token_ms: 100, token_ms: 5 });
  await report(2, { first_token_ms: 300, token_ms: 4 });
  expect(await report(0, { first_token_ms: 900 })).toMatchObject({
    others: 2,
    first_token_ms: 300,
    token_ms: 5,
  });
  await fail(2);
  expect(await report(0)).toMatchObject({ others: 1, first_token_ms: 100 });
  expect((await report(1)).others).toBe(1);
});

test('the pool goes when nobody reports any more', async () => {
  await report(0);
  expect(await redis.client.ttl(keys.pool)).toBeGreaterThan(3000);
});
