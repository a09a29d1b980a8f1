import { silentLogger } from '@vortex/observability';
import { until } from '@vortex/testkit';
import { expect, it } from 'vitest';
import { createPurge } from '../src/purge.ts';
import { east, north, retrieverForEach, scope } from './retriever-under-test.ts';

const test = retrieverForEach();
const { parts } = test;

it('removes a deleted collection as a whole, and its name is free for another model', async () => {
  const begun = await test.begin('atlas', 'j1');
  await test.storeChunks(begun, [north, east]);
  await test.publish(begun);
  await parts.registry.deleteCollection('default', 'books');
  expect(await test.retrieve(north)).toMatchObject({ kind: 'reject', code: 'collection_not_found' });
  expect(await parts.purge.runOnce()).toBeGreaterThan(0);
  expect(await parts.store.describe(scope)).toBeNull();
  expect(await parts.registry.staleCollections()).toEqual([]);
  const again = await test.begin('atlas', 'j2');
  await test.storeChunks(again, [north], { fingerprint: 'another:4' });
  await test.publish(again);
  expect(await parts.store.describe(scope)).toMatchObject({ modelFingerprint: 'another:4', rows: 1 });
});

it('removes the files that no version needs any more, and keeps those that one does', async () => {
  const [original, shared] = await Promise.all(
    ['only one has it', 'two have it'].map((text) => parts.contents.original.put(Buffer.from(text))),
  );
  const text = await parts.contents.text.put(Buffer.from('extracted'));
  if (original === undefined || shared === undefined) throw new Error('not put');
  const begun: Awaited<ReturnType<typeof test.begin>>[] = [];
  for (const [name, contentHash] of [
    ['a', original],
    ['b', shared],
    ['c', shared],
  ] as const) {
    const one = await test.begin(name, `job-${name}`, { contentHash });
    await test.storeChunks(one, [north]);
    await test.publish(one, text);
    begun.push(one);
  }
  for (const { documentId } of begun.slice(0, 2)) await parts.registry.deleteDocument('default', documentId);
  expect(await parts.purge.runOnce()).toBe(2);
  expect(await parts.contents.original.has(original)).toBe(false);
  expect(await parts.contents.original.has(shared)).toBe(true);
  expect(await parts.contents.text.has(text)).toBe(true);
  await parts.registry.deleteDocument('default', begun[2]?.documentId ?? '');
  await parts.purge.runOnce();
  expect(await parts.contents.original.has(shared)).toBe(false);
  expect(await parts.contents.text.has(text)).toBe(false);
});

it('ends only after the write that was under way, so that nothing lands behind it', async () => {
  const begun = await test.begin('atlas', 'j1');
  const write = Promise.withResolvers<void>();
  const [reached, upserted] = [Promise.withResolvers<void>(), parts.store.upsert.bind(parts.store)];
  parts.store.upsert = async (...call) => {
    reached.resolve();
    await write.promise;
    return upserted(...call);
  };
  const storing = test.storeChunks(begun, [north]);
  await reached.promise;
  await parts.registry.endJob('j1', 'cancelled', { code: 'cancelled', message: 'enough' });
  const purging = parts.purge.runOnce();
  write.resolve();
  expect(await storing).toMatchObject({ result: { stored: 0 } });
  expect(await purging).toBe(1);
  expect(await parts.store.listVersions(scope)).toEqual([]);
  expect(await parts.registry.staleVersions()).toEqual([]);
});

it('wakes by itself when something has changed, and goes on after a failure', async () => {
  let failures = 1;
  const store = {
    dropCollection: parts.store.dropCollection.bind(parts.store),
    deleteVersions: async (...call: Parameters<typeof parts.store.deleteVersions>) => {
      failures -= 1;
      if (failures === 0) throw new Error('the store is away');
      return parts.store.deleteVersions(...call);
    },
  };
  const purge = createPurge({ ...parts, store, log: silentLogger });
  const begun = await test.begin('atlas', 'j1');
  await test.storeChunks(begun, [north]);
  await test.publish(begun);
  purge.start(5);
  try {
    await parts.registry.deleteDocument('default', begun.documentId);
    await until('the rows are gone', async () => (await parts.store.count(scope)) === 0);
    expect(failures).toBeLessThan(0);
  } finally {
    await purge.stop();
  }
});
