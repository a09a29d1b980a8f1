import { readdirSync, readFileSync } from 'node:fs';
import { createMetrics } from '@vortex/observability';
import { type PrivateRedis, startPrivateRedis, until } from '@vortex/testkit';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { cacheKeys } from '../src/cache-keys.ts';
import { createExplainStore, type ExplainSettings } from '../src/explain-store.ts';
import { createRedisCache } from '../src/redis-cache.ts';

let redis: PrivateRedis;
let client: Redis;
beforeAll(async () => {
  redis = await startPrivateRedis({ args: ['--maxmemory', '8mb', '--maxmemory-policy', 'allkeys-lru'] });
  client = new Redis(redis.url);
});
beforeEach(async () => void (await client.flushall()));
afterAll(async () => {
  client.disconnect();
  await redis.stop();
});

const parts = ['gateway', 'retrieve'];
const defaults = { share: 1, keep_ms: 60_000, max_queries: 100, max_bytes: 1e6, max_part_bytes: 1000 };

async function open(change: Partial<ExplainSettings> = {}) {
  const log = { info: () => {}, warn: () => {}, debug: () => {} };
  const metrics = createMetrics('test');
  const cache = createRedisCache({ url: redis.url, timeoutMs: 30_000, maxEntryBytes: 1000, metrics, log });
  onTestFinished(() => cache.close());
  await until('the cache is there', () => cache.isAvailable());
  const store = createExplainStore({
    cache,
    settings: { ...defaults, ...change },
    parts,
    log,
    writeAfterMs: 1,
  });
  const note = (id: string, value: object, part = 'gateway', tenant = 'default') =>
    store.note({ id, tenant }, part, () => value);
  const read = (id: string, tenant = 'default') => store.read({ id, tenant });
  /** What was noted so far has come to Redis: the reply to a later command is here. */
  const written = async () => {
    store.close();
    await read('none');
  };
  const kept = () => client.zrange(cacheKeys.storyOrder, '0', '-1');
  return { store, note, read, written, kept };
}

/** By hand: what the fields take, without the counter. */
async function bytesOf() {
  const { bytes, ...fields } = await client.hgetall(cacheKeys.stories);
  const taken = Object.entries(fields).reduce((sum, [name, value]) => sum + name.length + value.length, 0);
  return { bytes: Number(bytes), taken };
}

describe('stories of past queries', () => {
  it('are put together from parts that several processes write, the last of each', async () => {
    const gateway = await open();
    const retriever = await open();
    gateway.note('q1', { n: 1 });
    retriever.note('q1', { n: 2 }, 'retrieve');
    gateway.note('q1', { n: 3 });
    await until('both are there', async () => Object.keys((await gateway.read('q1')) ?? {}).length === 2);
    expect(await retriever.read('q1')).toEqual({ gateway: { n: 3 }, retrieve: { n: 2 } });
    const { bytes, taken } = await bytesOf();
    expect(bytes).toBe(taken);
  });

  it('of another tenant are not found, under the same id either', async () => {
    const { note, read } = await open();
    note('q1', { theirs: true }, 'gateway', 'acme');
    await until('it is there', async () => (await read('q1', 'acme')) !== null);
    expect(await read('q1')).toBeNull();
  });

  it('are kept up to a number: the oldest goes', async () => {
    const { note, read, kept } = await open({ max_queries: 3 });
    for (const id of ['a', 'b', 'c', 'd']) {
      note(id, { id });
      await until('it is there', async () => (await read(id)) !== null);
    }
    expect(await kept()).toEqual(['b default', 'c default', 'd default']);
    expect(await read('a')).toBeNull();
  });

  it('are kept up to a number of bytes', async () => {
    const { note, read, kept } = await open({ max_bytes: 1500 });
    for (const id of ['a', 'b', 'c', 'd']) {
      note(id, { text: 'x'.repeat(500) });
      await until('it is there', async () => (await read(id)) !== null);
    }
    expect(await kept()).toEqual(['c default', 'd default']);
    const { bytes, taken } = await bytesOf();
    expect([bytes, bytes <= 1500]).toEqual([taken, true]);
  });

  it('are forgotten after their time, by who reads and by who writes', async () => {
    const { note, read, kept } = await open({ keep_ms: 150 });
    note('old', { n: 1 });
    await until('it is there', async () => (await kept()).length === 1);
    await until('it is too old to be read', async () => (await read('old')) === null);
    const later = await open();
    await client.zadd(cacheKeys.storyOrder, '1', 'ancient default');
    await client.hset(cacheKeys.stories, 'gateway ancient default', '{}');
    expect(await later.read('ancient')).toBeNull();
    later.note('new', { n: 2 });
    await until('the old one is gone', async () => (await kept()).join() === 'new default');
    expect(await client.hexists(cacheKeys.stories, 'gateway ancient default')).toBe(0);
  });

  it('a part that is too large, or cannot be told, is left out', async () => {
    const { store, note, read } = await open();
    note('q1', { text: 'x'.repeat(1000) }, 'retrieve');
    store.note({ id: 'q1', tenant: 'default' }, 'retrieve', () => {
      throw new Error('no words for it');
    });
    note('q1', { n: 1 });
    await until('the other is there', async () => (await read('q1')) !== null);
    expect(await read('q1')).toEqual({ gateway: { n: 1 } });
  });

  it.each([cacheKeys.stories, cacheKeys.storyOrder])(
    'when eviction has taken %s, the other key goes, and it begins anew',
    async (evicted) => {
      const { note, written, kept } = await open();
      note('q1', { n: 1 });
      await written();
      expect(await client.del(evicted)).toBe(1);
      note('q2', { n: 2 });
      await written();
      expect(await kept()).toEqual(['q2 default']);
      expect((await client.hkeys(cacheKeys.stories)).sort()).toEqual(['bytes', 'gateway q2 default']);
      const { bytes, taken } = await bytesOf();
      expect(bytes).toBe(taken);
    },
  );

  it('a share of them: the same ones wherever they are written', async () => {
    const change = { share: 0.25, max_queries: 10_000 };
    const [one, other] = [await open(change), await open(change)];
    const ids = Array.from({ length: 400 }, (_, place) => `qry_${place}`);
    for (const id of ids) one.note(id, { id });
    await one.written();
    const chosen = await one.kept();
    expect(chosen.length).toBeGreaterThan(60);
    expect(chosen.length).toBeLessThan(140);
    for (const id of ids) other.note(id, { id }, 'retrieve');
    await other.written();
    expect(await other.kept()).toEqual(chosen);
    expect(await client.hlen(cacheKeys.stories)).toBe(2 * chosen.length + 1);
  });

  it('with a share of none, or no cache, are not even told', async () => {
    const { store } = await open({ share: 0 });
    let told = 0;
    store.note({ id: 'q1', tenant: 'default' }, 'gateway', () => {
      told += 1;
      return {};
    });
    store.close();
    expect([store.isOn(), told]).toEqual([false, 0]);
  });
});

it('every script opens with its contract', () => {
  const folder = new URL('../lua/', import.meta.url);
  for (const file of readdirSync(folder)) {
    const lines = readFileSync(new URL(file, folder), 'utf8').split('\n');
    expect(lines[0]).toMatch(/^#!lua/);
    expect(lines[1]).toMatch(new RegExp(`^-- ${file.replace('.lua', '')}: `));
    for (const heading of ['KEYS', 'ARGV', 'Returns', 'Invariants'])
      expect(lines.some((line) => line.startsWith(`-- ${heading}: `))).toBe(true);
  }
});
