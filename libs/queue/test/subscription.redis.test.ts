import { openCommandProxy, openTestRedis, type TestRedis, until } from '@vortex/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connect, createCancelFeed, keys } from '../src/index.ts';

let redis: TestRedis;
beforeAll(async () => {
  redis = await openTestRedis();
});
afterAll(() => redis.close());

test('a connection that broke listens again, and closing it in between leaves no rejection behind', async () => {
  const proxy = await openCommandProxy(redis.url, new Map());
  const commands = connect(redis, 'worker');
  const heard: string[] = [];
  const feed = createCancelFeed({ redis: proxy, commands, onCancel: (id) => heard.push(id) });
  const listens = async () => Number(await redis.client.publish(keys.cancelChannel, 'once')) > 0;
  await until('it listens', listens);
  await until('it hears', () => heard.includes('once'));

  await redis.client.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
  heard.length = 0;
  await until('it listens again', async () => (await listens()) && heard.includes('once'));

  // The test run itself fails of a rejection that nobody handles.
  proxy.strikeAt('SUBSCRIBE', 1, 'hold');
  await redis.client.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
  await until('it is about to listen', () => proxy.hasStruck());
  feed.close();
  expect(proxy.counts().get('SUBSCRIBE')).toBeGreaterThanOrEqual(3);
  commands.disconnect();
  await proxy.close();
});
