import { until } from '@vortex/testkit';
import { startPrivateRedis } from '@vortex/testkit/private-redis';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type FaultProxy, openFaultProxy } from './fault-proxy.ts';

let redis: Awaited<ReturnType<typeof startPrivateRedis>>;
let direct: Redis;
let proxy: FaultProxy;
const clients: Redis[] = [];

beforeAll(async () => {
  redis = await startPrivateRedis();
  direct = new Redis(redis.url);
  proxy = await openFaultProxy(redis.port);
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.disconnect();
  proxy.heal();
  await until('the connections are gone', () => proxy.connections().length === 0);
  await direct.flushall();
});
afterAll(async () => {
  direct?.disconnect();
  await proxy?.close();
  await redis?.stop();
});

/** One that never tries again by itself, so that each fault is seen as it is. */
async function client(role: string): Promise<Redis> {
  const one = new Redis(proxy.url, {
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    connectionName: `vortex-${role}`,
    lazyConnect: true,
  });
  one.on('error', () => undefined);
  clients.push(one);
  await one.connect();
  await one.ping();
  return one;
}

test('what passes is what was sent, and a connection is known by the name its client gave itself', async () => {
  const one = await client('beat');
  const large = 'x'.repeat(1_000_000);
  await one.set('large', large);
  expect(await one.get('large')).toBe(large);
  expect(proxy.connections().map((connection) => connection.role())).toEqual(['beat']);
});

test('a cut ends the connection for both sides', async () => {
  const one = await client('worker');
  const before = proxy.counts().cut;
  const blocked = one.blpop('nothing', 0);
  await until('it is blocked', async () => (await direct.info('clients')).includes('blocked_clients:1'));
  proxy.connections()[0]?.cut();
  await expect(blocked).rejects.toThrow();
  await until('redis noticed', async () => (await direct.info('clients')).includes('blocked_clients:0'));
  expect(proxy.counts().cut).toBe(before + 1);
});

test('a swallowed reply is one whose command was applied', async () => {
  const one = await client('worker');
  proxy.connections()[0]?.swallowNextReply();
  await expect(one.incr('counter')).rejects.toThrow();
  expect(await direct.get('counter')).toBe('1');
  expect(proxy.counts().swallowed).toBe(1);
});

test('half-open: nothing passes, nobody is told, and redis still serves who is not there', async () => {
  const one = await client('blocking');
  const blocked = one.blmove('list', 'in-flight', 'LEFT', 'RIGHT', 0);
  let answered = false;
  blocked.then(
    () => {
      answered = true;
    },
    () => undefined,
  );
  await until('it is blocked', async () => (await direct.info('clients')).includes('blocked_clients:1'));
  proxy.connections()[0]?.goHalfOpen();
  await direct.rpush('list', 'element');
  await until('redis has moved it', async () => (await direct.llen('in-flight')) === 1);
  expect([one.status, answered]).toEqual(['ready', false]);
  proxy.heal();
  await expect(blocked).rejects.toThrow();
});

test('a delay keeps the order, and is lifted by heal', async () => {
  const one = await client('worker');
  proxy.setDelay(20);
  const before = proxy.counts().delayed_chunks;
  const order = await Promise.all([one.incr('n'), one.incr('n'), one.incr('n')]);
  expect(order).toEqual([1, 2, 3]);
  expect(proxy.counts().delayed_chunks).toBeGreaterThan(before);
  proxy.heal();
  const afterHeal = proxy.counts().delayed_chunks;
  await one.ping();
  expect(proxy.counts().delayed_chunks).toBe(afterHeal);
});

test('a trickle brings everything, a little at a time', async () => {
  const one = await client('worker');
  await direct.set('text', 'y'.repeat(300));
  proxy.setTrickle(2000);
  expect(await one.get('text')).toBe('y'.repeat(300));
  expect(proxy.counts().trickled_bytes).toBeGreaterThanOrEqual(300);
});

test('refused connections, and a target that changes for new ones only', async () => {
  const one = await client('worker');
  proxy.setRefusing(true);
  await expect(client('late')).rejects.toThrow();
  expect(proxy.counts().refused).toBe(1);
  expect(await one.ping()).toBe('PONG');
  const other = await startPrivateRedis();
  try {
    proxy.heal();
    proxy.pointAt(other.port);
    const two = await client('worker');
    await two.set('where', 'other');
    await one.set('where', 'first');
    expect([await direct.get('where'), await two.get('where')]).toEqual(['first', 'other']);
  } finally {
    proxy.pointAt(redis.port);
    await other.stop();
  }
});
