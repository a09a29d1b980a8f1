import { openTestRedis, type TestRedis, until } from '@vortex/testkit';
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { createCancelFeed, createSubmitter, type Submitter } from '../src/index.ts';

let redis: TestRedis;
let submitter: Submitter;
beforeAll(async () => {
  redis = await openTestRedis();
  submitter = createSubmitter({ redis, name: 'gw_cancel_feed' });
  await submitter.start();
  await until('the submitter is ready', () => submitter.isReady());
});
afterAll(async () => {
  await submitter.close();
  await redis.close();
});
beforeEach(() => redis.client.flushdb());

/** A feed that hears; each of its reads of the set waits, once Redis has answered, for `release`. */
async function openFeed() {
  const heard: string[] = [];
  let held: Promise<void> | undefined;
  let read = 0;
  const feed = createCancelFeed({
    redis,
    commands: {
      zrange: (async (...words: Parameters<typeof redis.client.zrange>) => {
        const reply = await redis.client.zrange(...words);
        read += 1;
        await held;
        return reply;
      }) as typeof redis.client.zrange,
    },
    onCancel: (id) => heard.push(id),
  });
  onTestFinished(() => feed.close());
  await submitter.cancel('warm-up');
  await until('the feed hears', () => heard.includes('warm-up'));
  return {
    feed,
    heard,
    reads: () => read,
    hold() {
      const gate = Promise.withResolvers<void>();
      held = gate.promise;
      return () => {
        held = undefined;
        gate.resolve();
      };
    },
  };
}

test('what is told while the set is being read is not forgotten by that read', async () => {
  const { feed, reads, hold } = await openFeed();
  const release = hold();
  const before = reads();
  const refreshed = feed.refresh();
  await until('Redis has answered', () => reads() > before);
  await submitter.cancel('cancel-feed-1');
  await until('it was told', () => feed.has('cancel-feed-1'));
  release();
  await refreshed;
  expect(feed.has('cancel-feed-1')).toBe(true);
  await feed.refresh();
  expect(feed.has('cancel-feed-1')).toBe(true);
});

test('what is said while the subscription is away is read as soon as it is back', async () => {
  const { heard } = await openFeed();
  // Other test files have theirs on other databases of the same Redis.
  const database = ` db=${new URL(redis.url).pathname.slice(1)} `;
  const connections = String(await redis.client.call('CLIENT', 'LIST', 'TYPE', 'pubsub'));
  const ours = connections.split('\n').filter((line) => line.includes(database));
  expect(ours.length).toBeGreaterThan(0);
  // Nobody refreshes here: no beat, no other connection that comes back.
  await redis.client.zadd('job:cancelled', Date.now() + 60_000, 'cancel-feed-2');
  for (const line of ours) {
    const id = /^id=(\d+)/.exec(line)?.[1];
    if (id !== undefined) await redis.client.call('CLIENT', 'KILL', 'ID', id);
  }
  await until('it was read', () => heard.includes('cancel-feed-2'));
});
