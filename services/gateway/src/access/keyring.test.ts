import { silentLogger } from '@vortex/observability';
import type { StoredKey } from '@vortex/registry';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { openKeyring } from './keyring.ts';

const key: StoredKey = {
  ...{ id: 'k1', tenant: 'default', name: null, scopes: ['query'], collections: null, limits: null },
  ...{ secretHash: 'aa', previousHash: null, previousUntil: null, createdAt: 1, expiresAt: null },
  ...{ rotatedAt: null, revokedAt: null, lastUsedAt: null },
};

class ScriptedRegistry {
  counter = 1;
  keys = new Map<string, StoredKey>();
  isAway = false;
  reads: string[] = [];
  used: [string, number][][] = [];
  async changeCounter() {
    this.assertThere();
    return this.counter;
  }
  async hasKeys() {
    return this.keys.size > 0;
  }
  async findKey(keyId: string) {
    this.assertThere();
    this.reads.push(keyId);
    return this.keys.get(keyId) ?? null;
  }
  async noteKeysUsed(used: ReadonlyMap<string, number>) {
    this.assertThere();
    this.used.push([...used]);
  }
  put(next: StoredKey) {
    this.keys.set(next.id, next);
    this.counter += 1;
  }
  private assertThere() {
    if (this.isAway) throw new Error('away');
  }
}

const open = async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'Date', 'performance'] });
  const registry = new ScriptedRegistry();
  let clock = 0;
  const keyring = await openKeyring({ registry, log: silentLogger, now: () => clock, watchMs: 250 });
  return {
    registry,
    keyring,
    later: async (ms: number) => {
      clock += ms;
      await vi.advanceTimersByTimeAsync(ms);
    },
  };
};

afterEach(() => {
  vi.useRealTimers();
});

describe('the keyring', () => {
  it('reads a key once as long as nothing changes, and looks for an unknown id every time', async () => {
    const { registry, keyring, later } = await open();
    registry.put(key);
    await later(250);
    for (const id of ['k1', 'nobody']) await keyring.find(id);
    expect(keyring.find('k1')).toEqual(key);
    expect(await keyring.find('nobody')).toBeNull();
    await later(3000);
    expect(keyring.find('k1')).toEqual(key);
    expect(registry.reads).toEqual(['k1', 'nobody', 'nobody']);
  });

  it('hears of a change within one look, and knows then that there is a key', async () => {
    const { registry, keyring, later } = await open();
    expect(keyring.hasKeys()).toBe(false);
    registry.put(key);
    await later(250);
    expect(keyring.hasKeys()).toBe(true);
    await keyring.find('k1');
    registry.put({ ...key, revokedAt: 5 });
    expect(keyring.find('k1')).toMatchObject({ revokedAt: null });
    await later(250);
    expect(await keyring.find('k1')).toMatchObject({ revokedAt: 5 });
  });

  it('never stands open again', async () => {
    const { registry, keyring, later } = await open();
    registry.put(key);
    await later(250);
    registry.keys.clear();
    registry.counter += 1;
    await later(250);
    expect(await keyring.find('k1')).toBeNull();
    expect(keyring.hasKeys()).toBe(true);
  });

  it('hears of its own change although a look that was begun before is under way', async () => {
    const { registry, keyring, later } = await open();
    const held = Promise.withResolvers<void>();
    const { changeCounter } = registry;
    registry.changeCounter = async () => {
      const counter = await changeCounter.call(registry);
      await held.promise;
      return counter;
    };
    await later(250);
    registry.changeCounter = changeCounter;
    registry.put(key);
    const refreshed = keyring.refresh();
    held.resolve();
    await refreshed;
    expect(keyring.hasKeys()).toBe(true);
  });

  it('hears of its own change at once', async () => {
    const { registry, keyring } = await open();
    await keyring.find('k1');
    registry.put(key);
    await keyring.refresh();
    expect(await keyring.find('k1')).toEqual(key);
    expect(keyring.hasKeys()).toBe(true);
  });

  it('shares a read that is under way', async () => {
    const { registry, keyring } = await open();
    registry.put(key);
    await Promise.all([keyring.find('k1'), keyring.find('k1'), keyring.find('k1')]);
    expect(registry.reads).toEqual(['k1']);
  });

  it('shares none that was begun before the key was revoked', async () => {
    const { registry, keyring } = await open();
    registry.put(key);
    await keyring.refresh();
    const held = Promise.withResolvers<void>();
    const { findKey } = registry;
    registry.findKey = async (id) => {
      const found = await findKey.call(registry, id);
      await held.promise;
      return found;
    };
    const before = keyring.find('k1');
    registry.findKey = findKey;
    registry.put({ ...key, revokedAt: 5 });
    await keyring.refresh();
    expect(await keyring.find('k1')).toMatchObject({ revokedAt: 5 });
    held.resolve();
    expect(await before).toMatchObject({ revokedAt: null });
    // What comes home late is not taken for news.
    expect(await keyring.find('k1')).toMatchObject({ revokedAt: 5 });
  });

  it('trusts what it knows for four seconds without the registry, and nobody after that', async () => {
    const { registry, keyring, later } = await open();
    registry.put(key);
    await later(250);
    await keyring.find('k1');
    registry.isAway = true;
    await later(3500);
    expect(keyring.find('k1')).toEqual(key);
    await later(500);
    await expect(keyring.find('k1')).rejects.toThrow('away');
    registry.isAway = false;
    await later(250);
    expect(await keyring.find('k1')).toEqual(key);
  });

  it('writes down the last use later, once a minute, and again when it failed', async () => {
    const { registry, keyring, later } = await open();
    keyring.noteUsed('k1');
    keyring.noteUsed('k1');
    expect(registry.used).toEqual([]);
    registry.isAway = true;
    await later(250);
    registry.isAway = false;
    await later(250);
    expect(registry.used).toEqual([[['k1', 0]]]);
    await later(30_000);
    keyring.noteUsed('k1');
    await later(30_000);
    expect(registry.used).toHaveLength(1);
    keyring.noteUsed('k1');
    await keyring.close();
    expect(registry.used).toEqual([[['k1', 0]], [['k1', 60_500]]]);
  });
});
