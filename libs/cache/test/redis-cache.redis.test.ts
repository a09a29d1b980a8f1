import { createMetrics } from '@vortex/observability';
import { type PrivateRedis, startPrivateRedis, until } from '@vortex/testkit';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { announceSettings } from '../src/announce-settings.ts';
import { cacheKeys } from '../src/cache-keys.ts';
import { createRedisCache, type RedisCacheOptions } from '../src/redis-cache.ts';

/** On a Redis of its own: it is frozen, filled and killed. */
let redis: PrivateRedis;
beforeEach(async () => {
  redis = await startPrivateRedis({ args: ['--maxmemory', '3mb'] });
});
afterEach(() => redis.stop());

async function open(change: Partial<RedisCacheOptions> = {}) {
  const log = { info: () => {}, warn: () => {} };
  const metrics = createMetrics('test');
  const cache = createRedisCache({
    // A stall of the machine is no miss; where Redis does hang, a test gives less.
    ...{ url: redis.url, timeoutMs: 30_000, maxEntryBytes: 64 * 1024, metrics, log, probeMs: 20 },
    ...change,
  });
  onTestFinished(() => cache.close());
  await until('the cache is there', () => cache.isAvailable());
  const read = async (key: string) => (await cache.get([key]))?.[0]?.toString() ?? null;
  const errors = async (cause: string) =>
    Number(
      new RegExp(`rag_cache_errors_total\\{cause="${cause}".*\\} (\\d+)`).exec(
        (await metrics.render()).body,
      )?.[1],
    );
  return { cache, read, errors };
}

describe('a cache in Redis', () => {
  it('gives what was put, in the order asked, and null for the rest', async () => {
    const { cache } = await open();
    cache.put('a', Buffer.from([0, 255, 10]), 60_000);
    cache.put('b', 'text', 60_000);
    const [b, none, a] = (await cache.get(['b', 'none', 'a'])) ?? [];
    expect([b?.toString(), none, [...(a ?? [])]]).toEqual(['text', null, [0, 255, 10]]);
  });

  it('keeps nothing beyond its time, nor what is larger than allowed', async () => {
    const { cache, read, errors } = await open();
    cache.put('brief', 'x', 1);
    cache.put('never', 'x', 0);
    cache.put('large', 'x'.repeat(64 * 1024 + 1), 60_000);
    await until('it is gone', async () => (await read('brief')) === null);
    expect([await read('never'), await read('large'), await errors('too_large')]).toEqual([null, null, 1]);
  });

  it('frozen, holds nobody up, and serves again when it is thawed', async () => {
    const { cache, read } = await open({ timeoutMs: 50 });
    await until('it keeps something', () => {
      cache.put('a', 'x', 60_000);
      return read('a');
    });
    process.kill(redis.pid, 'SIGSTOP');
    expect(await Promise.all([read('a'), read('a')])).toEqual([null, null]);
    // From now on nobody even asks.
    expect(cache.isAvailable()).toBe(false);
    cache.put('b', 'x', 60_000);
    process.kill(redis.pid, 'SIGCONT');
    const [a, b] = await until('it is used again', () => cache.get(['a', 'b']));
    expect([a?.toString(), b]).toEqual(['x', null]);
  });

  it('full and forbidden to evict, takes no more and goes on serving', async () => {
    const { cache, read, errors } = await open();
    cache.put('a', 'x', 60_000);
    let written = 0;
    await until('it refuses', async () => {
      cache.put(`more-${written++}`, 'x'.repeat(60_000), 60_000);
      await read('a');
      return (await errors('refused')) > 0;
    });
    expect(await read('a')).toBe('x');
    expect(cache.isAvailable()).toBe(true);
  });

  it('gone, is a cache with nothing in it, until it is back', async () => {
    const { cache, read } = await open();
    cache.put('a', 'x', 60_000);
    await redis.kill();
    await until('it is missed', async () => (await cache.get(['a'])) === null && !cache.isAvailable());
    cache.put('a', 'x', 60_000);
    await redis.start();
    await until('it is used again', () => cache.isAvailable());
    expect(await read('a')).toBe(null);
  });

  it('hears which settings hold as soon as it is there, also after it was wiped', async () => {
    const { cache, read } = await open();
    const announced = announceSettings(cache, 'generate', 'settings-1');
    onTestFinished(() => announced.stop());
    expect(await read(cacheKeys.settings('generate'))).toBe('settings-1');
    await redis.kill();
    await redis.start();
    await until(
      'it is told again',
      async () => (await read(cacheKeys.settings('generate'))) === 'settings-1',
    );
  });
});

it('that is not there at first is used once it is', async () => {
  await redis.kill();
  const metrics = createMetrics('test');
  const log = { info: () => {}, warn: () => {} };
  const cache = createRedisCache({ url: redis.url, timeoutMs: 30_000, maxEntryBytes: 1024, metrics, log });
  onTestFinished(() => cache.close());
  expect(await cache.get(['a'])).toBe(null);
  await redis.start();
  await until('the cache is there', () => cache.isAvailable());
});
