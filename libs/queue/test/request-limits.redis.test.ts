import { openTestRedis, type TestRedis, until } from '@vortex/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  createRequestLimits,
  createTokenCharges,
  keys,
  memberOf,
  QueueUnavailable,
  type RequestBounds,
  type RequestLimits,
  type TokenCharges,
} from '../src/index.ts';

/** Two gateways before one Redis. */
let redis: TestRedis;
let gateways: RequestLimits[];
beforeAll(async () => {
  redis = await openTestRedis();
  gateways = [createRequestLimits({ url: redis.url }), createRequestLimits({ url: redis.url })];
  for (const gateway of gateways)
    await until('redis', () => gateway.judge('none', {}, null).then(Boolean, () => false));
});
afterAll(async () => {
  for (const gateway of gateways) gateway.close();
  await redis.close();
});
beforeEach(() => redis.client.flushdb());

async function judge(
  bounds: RequestBounds,
  count: number,
  queryId?: (number: number) => string,
  mostTokens = 0,
) {
  const verdicts = Array.from({ length: count }, (_, number) =>
    gateways[number % 2]?.judge(
      'k1',
      bounds,
      queryId === undefined ? null : { id: queryId(number), leaseMs: 60_000, mostTokens },
    ),
  );
  return (await Promise.all(verdicts)).flatMap((verdict) => (verdict === undefined ? [] : [verdict]));
}
const passed = (verdicts: { refusedBy: string | null }[]) =>
  verdicts.filter(({ refusedBy }) => refusedBy === null).length;
const first = async (bounds: RequestBounds, queryId?: string) =>
  (await judge(bounds, 1, queryId === undefined ? undefined : () => queryId))[0];
/** As if so much time had passed since. */
const goBack = async (ms: number) => {
  const tat = Number(await redis.client.hget(keys.spent('k1'), 'tat'));
  await redis.client.hset(keys.spent('k1'), 'tat', tat - ms);
};

// An hour per request: while the test runs none comes back.
const hourly = { requestsPerMinute: 1 / 60 };

test('of a burst at two gateways exactly so many pass, and what is refused counts nowhere', async () => {
  const bounds = { ...hourly, burst: 100 };
  expect(passed(await judge(bounds, 1000))).toBe(100);
  const hour = 3_600_000;
  await goBack(hour);
  expect(passed(await judge(bounds, 10))).toBe(1);
  await goBack(7 * hour);
  expect(passed(await judge(bounds, 100))).toBe(7);
  // However long nobody came: the burst, no more.
  await goBack(5000 * hour);
  expect(passed(await judge(bounds, 1000))).toBe(100);
});

test('without a burst a minute’s worth may come at once', async () => {
  expect(passed(await judge({ requestsPerMinute: 2 }, 20))).toBe(2);
});

test('says what remains, and when there is more', async () => {
  const bounds = { ...hourly, burst: 3 };
  const window = { limit: 'requests', quota: 3, windowMs: 3 * 3_600_000 };
  expect((await first(bounds))?.states).toMatchObject([{ ...window, remaining: 2 }]);
  await first(bounds);
  const last = await first(bounds);
  expect(last).toMatchObject({ refusedBy: null, states: [{ remaining: 0 }] });
  const refused = await first(bounds);
  expect(refused).toMatchObject({ refusedBy: 'requests', states: [{ remaining: 0 }] });
  // One interval, less what has passed since the first.
  expect(refused?.waitMs).toBeGreaterThan(3_500_000);
  expect(refused?.waitMs).toBeLessThanOrEqual(3_600_000);
  expect(refused?.states[0]?.resetMs).toBe(refused?.waitMs);
  expect(await redis.client.pttl(keys.spent('k1'))).toBeGreaterThan(0);
});

test('one key’s requests are not another’s', async () => {
  const bounds = { ...hourly, burst: 1 };
  expect((await gateways[0]?.judge('k1', bounds, null))?.refusedBy).toBeNull();
  expect((await gateways[0]?.judge('k2', bounds, null))?.refusedBy).toBeNull();
});

test('so many queries at a time at both gateways; whoever ends, or dies, gives a place back', async () => {
  const bounds = { concurrentQueries: 3 };
  const verdicts = await judge(bounds, 10, (number) => `q${number}`);
  expect(passed(verdicts)).toBe(3);
  expect(verdicts[9]).toMatchObject({ refusedBy: 'concurrent', states: [{ quota: 3, remaining: 0 }] });
  const [open = ''] = await redis.client.zrange(keys.openQueries('k1'), '0', '-1');
  // At the same gateway the place is free for whoever comes next.
  gateways[0]?.release('k1', { id: open.split(':')[0] ?? '', mostTokens: 0 }, 'all');
  const next = { id: 'next', leaseMs: 1, mostTokens: 0 };
  expect((await gateways[0]?.judge('k1', bounds, next))?.refusedBy).toBeNull();
  // Those of a gateway that died are over with their deadlines.
  for (const member of await redis.client.zrange(keys.openQueries('k1'), '0', '-1'))
    await redis.client.zadd(keys.openQueries('k1'), Date.now() - 1000, member);
  expect(passed(await judge(bounds, 10, (number) => `later${number}`))).toBe(3);
  // What is no query takes none.
  expect((await first(bounds))?.refusedBy).toBeNull();
});

test('tokens are charged after the answer, and refused once they are spent', async () => {
  const charges = createTokenCharges({ url: redis.url });
  const bounds = { minuteTokens: 100, dayTokens: 1000, requestsPerMinute: 1000 };
  try {
    expect(await first(bounds, 'q1')).toMatchObject({ refusedBy: null });
    await charges.charge('k1', 400, undefined);
    // The minute may have gone by since, but not back.
    await redis.client.hset(keys.spent('k1'), 'minute', String(Math.floor(Date.now() / 60_000) + 1));
    const free = await first(bounds, 'q2');
    expect(free?.states.find(({ limit }) => limit === 'day_tokens')).toMatchObject({ remaining: 600 });
    expect(free?.states.find(({ limit }) => limit === 'minute_tokens')).toMatchObject({ remaining: 100 });
    await charges.charge('k1', 700, undefined);
    const spent = await first(bounds, 'q3');
    expect(spent).toMatchObject({ refusedBy: 'day_tokens' });
    expect(spent?.waitMs).toBeGreaterThan(0);
    expect(spent?.waitMs).toBeLessThanOrEqual(86_400_000);
    expect(spent?.states.find(({ limit }) => limit === 'day_tokens')).toMatchObject({ remaining: 0 });
    // A request that asks no model costs none.
    expect((await first(bounds))?.refusedBy).toBeNull();
    // Of yesterday nothing counts.
    await redis.client.hset(keys.spent('k1'), { day: Math.floor(Date.now() / 86_400_000) - 1, minute: 0 });
    expect((await first(bounds, 'q4'))?.refusedBy).toBeNull();
  } finally {
    charges.close();
  }
});

describe('of tokens, the most a question can cost is put by', () => {
  // A day, which has no end while the test runs, unlike a minute.
  const bounds = { dayTokens: 1000 };
  let charges: TokenCharges;
  beforeAll(() => {
    charges = createTokenCharges({ url: redis.url });
  });
  afterAll(() => charges.close());
  const spentToday = async () => Number(await redis.client.hget(keys.spent('k1'), 'day_tokens'));
  const ask = (count: number, most: number, name = 'q', limits: RequestBounds = bounds) =>
    judge(limits, count, (number) => `${name}${number}`, most);
  const reserved = () => redis.client.zrange(keys.reservations('k1'), '0', '-1');

  test('so 40 at once at two gateways spend what there is and no more', async () => {
    for (const limits of [bounds, { minuteTokens: 1000 }, { minuteTokens: 1000, dayTokens: 5000 }]) {
      await redis.client.flushdb();
      const verdicts = await ask(40, 300, 'q', limits);
      expect(passed(verdicts)).toBe(3);
      expect(verdicts.at(-1)).toMatchObject({ refusedBy: 'reserved', waitMs: 1000 });
    }
    for (const member of await reserved()) await charges.charge('k1', 300, member);
    expect(await reserved()).toEqual([]);
    expect(await spentToday()).toBe(900);
    // What is left is less than a question's most: one at a time, until it is spent.
    expect(passed(await ask(40, 300, 'later'))).toBe(1);
    for (const member of await reserved()) await charges.charge('k1', 300, member);
    expect((await ask(1, 300, 'last'))[0]).toMatchObject({ refusedBy: 'day_tokens' });
    expect(await spentToday()).toBe(1200);
  });

  test('and cheap answers make room again, to the last token but one answer', async () => {
    const most = 300;
    for (let round = 0; round < 100; round += 1) {
      const verdicts = await ask(10, most, `r${round}-`);
      if (passed(verdicts) === 0) break;
      for (const [number, member] of (await reserved()).entries())
        await charges.charge('k1', ((round + number) * 37) % most, member);
    }
    expect(await spentToday()).toBeGreaterThanOrEqual(1000);
    expect(await spentToday()).toBeLessThan(1000 + most);
    expect((await ask(1, most, 'one more'))[0]?.refusedBy).toBe('day_tokens');
  });

  test('one whose most is more than all there is is let in alone', async () => {
    expect(passed(await ask(40, 5000))).toBe(1);
    // A search costs nothing, and waits for nobody.
    expect((await ask(1, 0, 'search'))[0]?.refusedBy).toBeNull();
    gateways[0]?.release('k1', { id: 'q0', mostTokens: 5000 }, 'place');
    expect((await gateways[0]?.judge('k1', bounds, { id: 'a', leaseMs: 1, mostTokens: 5 }))?.refusedBy).toBe(
      'reserved',
    );
    gateways[0]?.release('k1', { id: 'q0', mostTokens: 5000 }, 'all');
    expect(
      (await gateways[0]?.judge('k1', bounds, { id: 'a', leaseMs: 1, mostTokens: 5 }))?.refusedBy,
    ).toBeNull();
  });

  test('until its time is over, if its gateway died', async () => {
    await ask(3, 300);
    expect(passed(await ask(3, 300, 'refused'))).toBe(0);
    await redis.client.zadd(keys.reservations('k1'), Date.now() - 1000, 'q1:300');
    expect(passed(await ask(3, 300, 'next'))).toBe(1);
    expect(await reserved()).not.toContain(memberOf({ id: 'q1', mostTokens: 300 }));
    expect(await redis.client.pttl(keys.reservations('k1'))).toBeGreaterThan(0);
  });

  test('and what another limit refuses puts nothing by', async () => {
    await ask(10, 10, 'q', { ...bounds, ...hourly, burst: 2 });
    expect(await reserved()).toHaveLength(2);
  });
});

test('a Redis that is away lets nobody in for free', async () => {
  const away = createRequestLimits({ url: 'redis://127.0.0.1:1' });
  await expect(away.judge('k1', { requestsPerMinute: 1 }, null)).rejects.toBeInstanceOf(QueueUnavailable);
  away.close();
});
