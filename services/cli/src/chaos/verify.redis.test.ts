import { keys, workerMember } from '@vortex/queue';
import { openTestRedis, type TestRedis } from '@vortex/testkit';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { isClean, leftoverChecks, readLeftovers } from './verify.ts';

let redis: TestRedis;
beforeAll(async () => {
  redis = await openTestRedis();
});
beforeEach(() => redis.client.flushdb());
afterAll(() => redis.close());

const list = 'job:encoder_in';
const url = 'http://replica';
const future = Date.now() + 60_000;

/** What a healthy chain at rest has in Redis. */
async function atRest(): Promise<void> {
  await redis.client.zadd(keys.workers, future, workerMember(list, 'host-7-ab'));
  await redis.client.zadd(keys.replicas, future, url);
  await redis.client.hset(keys.replica(url), 'state', 'up');
  await redis.client.set(keys.load(url), '0');
  await redis.client.set(keys.completion('done'), '{}', 'EX', 60);
  await redis.client.rpush(keys.dead(list), 'a letter');
  await redis.client.rpush(keys.recent, 'done');
}

test('a chain at rest leaves nothing', async () => {
  await atRest();
  const left = await readLeftovers(redis.client, [7]);
  expect(isClean(left)).toBe(true);
  expect(leftoverChecks(left, 1).every(({ ok }) => ok)).toBe(true);
  expect(leftoverChecks(left, 0).filter(({ ok }) => !ok)).toMatchObject([{ seen: `${keys.dead(list)} 1` }]);
});

const leavings: [string, () => Promise<unknown>][] = [
  ['an element that waits', () => redis.client.rpush(list, 'x')],
  ['one in a replica’s own list', () => redis.client.rpush('job:llm_in:llm_1', 'x')],
  ['one that is due again', () => redis.client.zadd(keys.retry(list), 1, 'x')],
  ['one in flight', () => redis.client.rpush(keys.inFlight(list, 'host-7-ab'), 'x')],
  ['one in flight with nobody', () => redis.client.rpush(keys.inFlight(list, 'host-9-cd'), 'x')],
  ['an id that counts as admitted', () => redis.client.zadd(keys.live('low'), future, 'x')],
  ['a load', () => redis.client.set(keys.load(url), '1')],
  ['a lease on a replica', () => redis.client.zadd(keys.leases(url), future, 'x')],
  ['a load of nobody’s', () => redis.client.set(keys.load('http://gone'), '0')],
  ['a worker that is none of ours', () => redis.client.zadd(keys.workers, future, `${list}|host-8-ef`)],
  ['a completion without an end', () => redis.client.set(keys.completion('kept'), '{}')],
  ['a tracked job that is open', () => redis.client.sadd(keys.active, 'x')],
  ['a key of nobody’s', () => redis.client.set('left:behind', '1')],
];

test.each(leavings)('%s is found', async (_what, leave) => {
  await atRest();
  await leave();
  expect(isClean(await readLeftovers(redis.client, [7]))).toBe(false);
});
