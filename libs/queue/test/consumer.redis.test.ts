import { openTestRedis, startPrivateRedis, type TestRedis, until } from '@vortex/testkit';
import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Consumer, connect, createConsumer, type Delivery, keys } from '../src/index.ts';

let redis: TestRedis;
let commands: Redis;
const consumers: Consumer[] = [];
beforeAll(async () => {
  redis = await openTestRedis();
  commands = connect(redis, 'worker');
});
afterAll(async () => {
  commands.disconnect();
  await redis.close();
});
beforeEach(() => redis.client.flushdb());
afterEach(() => {
  for (const consumer of consumers.splice(0)) consumer.close();
});

const list = 'job:encoder_in';
const shared = 'job:llm_in';
const own = 'job:llm_in:llm_1';

function startConsumer(options: {
  lists?: string[];
  slots: number;
  fresh?: () => boolean;
  wid?: string;
  at?: { redis: { url: string }; commands: Redis };
}) {
  const got: Delivery[] = [];
  const events: string[] = [];
  const consumer = createConsumer({
    redis,
    commands,
    ...options.at,
    wid: options.wid ?? 'w',
    lists: options.lists ?? [list],
    slots: options.slots,
    isLeaseFresh: options.fresh ?? (() => true),
    deliver: (delivery) => got.push(delivery),
    onEvent: (event) => events.push(event),
  });
  consumers.push(consumer);
  consumer.start();
  return { consumer, got, events };
}

const finishOrder = (id: string) => ({
  id,
  value: 'done',
  lane: 'interactive' as const,
  replyTo: undefined,
  trackFields: undefined,
  replicaUrl: undefined,
});
/** Connections of this file that wait for work; other files have theirs on other databases of the same Redis. */
async function blocked(): Promise<string[]> {
  const database = ` db=${new URL(redis.url).pathname.slice(1)} `;
  const connections = String(await redis.client.client('LIST')).split('\n');
  return connections.filter((line) => line.includes(database) && / flags=\w*b/.test(line));
}

test('claims no more than its slots, and the next when a slot is freed', async () => {
  const { consumer, got } = startConsumer({ slots: 2 });
  await redis.client.rpush(list, 'a', 'b', 'c');
  await until('both slots are taken', () => got.length === 2);
  expect(await redis.client.lrange(list, 0, -1)).toEqual(['c']);
  const [first] = got;
  if (first === undefined) throw new Error('no delivery');
  expect(await consumer.finish(first, finishOrder('a'))).toBe('OK');
  await until('the third is claimed', () => got.length === 3);
  expect(got.map(({ element }) => element)).toEqual(['a', 'b', 'c']);
});

test('claims nothing while its lease is not fresh', async () => {
  let fresh = false;
  const { consumer, got } = startConsumer({ slots: 2, fresh: () => fresh });
  await redis.client.rpush(list, 'a');
  await consumer.reconcile();
  expect(await redis.client.llen(list)).toBe(1);
  fresh = true;
  consumer.start();
  await until('the job is claimed', () => got.length === 1);
});

test('an element whose claim reply was lost is adopted on the second beat, once', async () => {
  const { consumer, got, events } = startConsumer({ slots: 4 });
  // What Redis does when it applies a BLMOVE and the connection dies before the reply.
  await redis.client.rpush(keys.inFlight(list, 'w'), 'swallowed');
  await consumer.reconcile();
  expect(got).toEqual([]);
  await consumer.reconcile();
  expect(got).toMatchObject([{ element: 'swallowed', adopted: true }]);
  await consumer.reconcile();
  expect(got).toHaveLength(1);
  expect(events).toEqual(['adopted']);
});

test('the same bytes pushed twice are two jobs, and a lost reply of one of them is noticed', async () => {
  const { consumer, got } = startConsumer({ slots: 4 });
  await redis.client.rpush(list, 'same');
  await until('one is claimed', () => got.length === 1);
  await redis.client.rpush(keys.inFlight(list, 'w'), 'same');
  await consumer.reconcile();
  await consumer.reconcile();
  expect(got.map(({ adopted }) => adopted)).toEqual([false, true]);
});

test('bytes that are no UTF-8 come as they are and can be settled', async () => {
  const { consumer, got } = startConsumer({ slots: 1 });
  const bytes = Buffer.from([0x7b, 0xff, 0xfe, 0x00, 0x7d]);
  await redis.client.rpush(list, bytes);
  await until('it is claimed', () => got.length === 1);
  const [delivery] = got;
  if (delivery === undefined) throw new Error('no delivery');
  expect(delivery.element).toEqual(bytes);
  consumer.stopClaiming();
  expect(await consumer.giveBack(delivery, '', undefined)).toBe('OK');
  expect(await redis.client.lpopBuffer(list)).toEqual(bytes);
});

test('a fenced settle is an event and an answer, not an error', async () => {
  const { consumer, got, events } = startConsumer({ slots: 1 });
  await redis.client.rpush(list, 'a');
  await until('it is claimed', () => got.length === 1);
  await redis.client.del(keys.inFlight(list, 'w'));
  const [delivery] = got;
  if (delivery === undefined) throw new Error('no delivery');
  expect(await consumer.handoff(delivery, 'next', 'new')).toBe('FENCED');
  expect(events).toEqual(['claimed', 'fenced']);
  expect(await redis.client.exists('next')).toBe(0);
});

test('one slot, two lists: both are served, and a job too many goes back to its list', async () => {
  const { consumer, got } = startConsumer({ lists: [own, shared], slots: 1 });
  await until('both lists are blocked on', async () => (await blocked()).length === 2);
  await redis.client.multi().rpush(shared, 'from shared').rpush(own, 'from own').exec();
  await until('one is delivered', () => got.length === 1);
  await until(
    'the other is back',
    async () => (await redis.client.llen(own)) + (await redis.client.llen(shared)) === 1,
  );
  const [delivery] = got;
  if (delivery === undefined) throw new Error('no delivery');
  await consumer.finish(delivery, finishOrder('a'));
  await until('the other is delivered', () => got.length === 2);
  expect(new Set(got.map(({ element }) => element))).toEqual(new Set(['from shared', 'from own']));
  expect(
    (await redis.client.llen(keys.inFlight(own, 'w'))) +
      (await redis.client.llen(keys.inFlight(shared, 'w'))),
  ).toBe(1);
});

test('a slot that is kept for a handler that still runs is not filled', async () => {
  const { consumer, got } = startConsumer({ slots: 1 });
  await redis.client.rpush(list, 'a', 'b');
  await until('one is claimed', () => got.length === 1);
  const [delivery] = got;
  if (delivery === undefined) throw new Error('no delivery');
  const release = consumer.keepSlot();
  await consumer.finish(delivery, finishOrder('a'));
  await consumer.reconcile();
  expect(got).toHaveLength(1);
  release();
  await until('the next is claimed', () => got.length === 2);
});

test('the blocking connection is killed: a new one takes over and consumes', async () => {
  const { got } = startConsumer({ slots: 2 });
  for (const round of [1, 2, 3]) {
    const blocking = await until('it blocks', async () => {
      const lines = await blocked();
      return lines.length > 0 ? lines : null;
    });
    for (const line of blocking) {
      const id = /id=(\d+)/.exec(line)?.[1];
      if (id !== undefined) await redis.client.client('KILL', 'ID', id);
    }
    await redis.client.rpush(list, `round ${round}`);
    await until(`round ${round} arrives`, () => got.length >= Math.min(round, 2));
    if (got.length === 2) break;
  }
  expect(got.map(({ element }) => element)).toEqual(['round 1', 'round 2']);
});

test('what is left at the end of a drain goes back to the head of its list in its order', async () => {
  const { consumer, got } = startConsumer({ slots: 3 });
  await redis.client.rpush(list, 'a', 'b', 'c', 'd');
  await until('three are claimed', () => got.length === 3);
  consumer.stopClaiming();
  expect(await consumer.giveBackRest()).toBe(3);
  expect(await redis.client.lrange(list, 0, -1)).toEqual(['a', 'b', 'c', 'd']);
});

test('an idle worker takes a backlog out of a Redis that is full, which refuses it BLMOVE', async () => {
  const full = await startPrivateRedis();
  const client = connect(full, 'worker');
  try {
    await client.rpush(list, 'a', 'b', 'c');
    await client.config('SET', 'maxmemory', '1');
    const { consumer, got } = startConsumer({ slots: 2, at: { redis: full, commands: client } });
    await until('both slots are taken', () => got.length === 2);
    const [first] = got;
    if (first === undefined) throw new Error('no delivery');
    expect(await consumer.finish(first, finishOrder('a'))).toBe('OK');
    await until('the third is claimed', () => got.length === 3);
    expect(await client.llen(list)).toBe(0);
  } finally {
    for (const consumer of consumers.splice(0)) consumer.close();
    client.disconnect();
    await full.stop();
  }
});
