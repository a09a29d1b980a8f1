import { openCommandProxy, type PrivateRedis, startPrivateRedis, until } from '@vortex/testkit';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connect, createCancelFeed, keys } from '../src/index.ts';

/** On a Redis of its own: whoever listens there is hung up on, whatever database it uses. */
let redis: PrivateRedis;
let client: Redis;
beforeAll(async () => {
  redis = await startPrivateRedis();
  client = new Redis(redis.url);
});
afterAll(async () => {
  client.disconnect();
  await redis.stop();
});

test('a connection that broke listens again, and closing it in between leaves no rejection behind', async () => {
  const proxy = await openCommandProxy(redis.url, new Map());
  const commands = connect(redis, 'worker');
  const heard: string[] = [];
  const feed = createCancelFeed({ redis: proxy, commands, onCancel: (id) => heard.push(id) });
  const listens = async () => Number(await client.publish(keys.cancelChannel, 'once')) > 0;
  await until('it listens', listens);
  await until('it hears', () => heard.includes('once'));

  await client.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
  heard.length = 0;
  await until('it listens again', async () => (await listens()) && heard.includes('once'));

  // The test run itself fails of a rejection that nobody handles.
  proxy.strikeAt('SUBSCRIBE', 1, 'hold');
  await client.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
  await until('it is about to listen', () => proxy.hasStruck());
  feed.close();
  expect(proxy.counts().get('SUBSCRIBE')).toBeGreaterThanOrEqual(3);
  commands.disconnect();
  await proxy.close();
});
