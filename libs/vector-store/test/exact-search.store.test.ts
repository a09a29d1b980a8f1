import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger } from '@vortex/observability';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { document, seeded, storeConformance } from '../src/conformance.ts';
import { StoreUnavailable } from '../src/errors.ts';
import { withExactSearch } from '../src/exact-search.ts';
import { type LanceStore, openLanceStore } from '../src/lancedb-store.ts';
import { openVectorStore } from '../src/open-vector-store.ts';
import type { VectorStore } from '../src/vector-store.ts';

const log = createLogger({ service: 'test', level: 'silent' });

storeConformance('LanceDB with small collections in memory', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'vortex-exact-'));
  return {
    open: () => openVectorStore({ kind: 'lancedb', dir }, { exactBelow: 4000, log }),
    remove: () => rm(dir, { recursive: true, force: true }),
  };
});

describe('exact search over a store', () => {
  const scope = { tenant: 'default', collection: 'handbook' };
  const model = { dimension: 48, modelFingerprint: 'test-model@1' };
  const calls = { search: 0, rankText: 0, fetch: 0, describe: 0 };
  let dir: string;
  let lance: LanceStore;
  /** The real store, with its calls counted and, on demand, an upsert whose reply is lost. */
  let watched: VectorStore;
  let replyLost = false;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'vortex-exact-'));
    lance = await openLanceStore({ dir, log });
    await lance.ensureCollection(scope, model);
    Object.assign(calls, { search: 0, rankText: 0, fetch: 0, describe: 0 });
    replyLost = false;
    watched = {
      ensureCollection: (...call) => lance.ensureCollection(...call),
      dropCollection: (...call) => lance.dropCollection(...call),
      deleteVersions: (...call) => lance.deleteVersions(...call),
      deleteDocument: (...call) => lance.deleteDocument(...call),
      listScopes: () => lance.listScopes(),
      listVersions: (...call) => lance.listVersions(...call),
      count: (...call) => lance.count(...call),
      lexicalCount: (...call) => lance.lexicalCount(...call),
      rank: (...call) => lance.rank(...call),
      cosines: (...call) => lance.cosines(...call),
      rankText(...call) {
        calls.rankText += 1;
        return lance.rankText(...call);
      },
      scan: (...call) => lance.scan(...call),
      health: () => lance.health(),
      close: () => lance.close(),
      async upsert(...call) {
        await lance.upsert(...call);
        if (replyLost) throw new StoreUnavailable('the reply was lost');
      },
      describe(...call) {
        calls.describe += 1;
        return lance.describe(...call);
      },
      search(...call) {
        calls.search += 1;
        return lance.search(...call);
      },
      fetch(...call) {
        calls.fetch += 1;
        return lance.fetch(...call);
      },
    };
  });

  afterEach(async () => {
    await lance.close();
    await rm(dir, { recursive: true, force: true });
  });

  const question = seeded(42);

  it('answers without the store once a collection is loaded, and as the store would', async () => {
    const store = withExactSearch(watched, { exactBelow: 100 });
    await lance.upsert(scope, document('before', 1, 40));
    await store.search(scope, { vector: question, limit: 5 });
    await store.upsert(scope, document('after', 1, 40));
    await store.deleteVersions(scope, [{ document_id: 'before', version: 1 }]);
    await store.upsert(scope, document('before', 2, 10));

    const hits = await store.search(scope, { vector: question, limit: 30 });
    expect(calls).toEqual({ search: 0, rankText: 0, fetch: 0, describe: 1 });
    const truth = await lance.search(scope, { vector: question, limit: 30 });
    expect(hits.map((hit) => hit.chunk)).toEqual(truth.map((hit) => hit.chunk));
  });

  it('goes to the store when a collection has grown large, and back when it has shrunk', async () => {
    const store = withExactSearch(watched, { exactBelow: 100 });
    await store.upsert(scope, document('doc-a', 1, 90));
    await store.search(scope, { vector: question, limit: 5 });
    await store.upsert(scope, document('doc-b', 1, 30));
    expect(await store.search(scope, { vector: question, limit: 200 })).toHaveLength(120);
    expect(calls.search).toBe(0);
    await store.upsert(scope, document('doc-c', 1, 10));
    expect(await store.search(scope, { vector: question, limit: 200 })).toHaveLength(130);
    expect(calls.search).toBe(1);
    await store.deleteDocument(scope, 'doc-a');
    expect(await store.search(scope, { vector: question, limit: 200 })).toHaveLength(40);
    expect(calls.search).toBe(1);
  });

  it('fetches texts that did not fit into memory', async () => {
    const store = withExactSearch(watched, { exactBelow: 100, maxChunkBytes: 2000 });
    await store.upsert(scope, document('doc-a', 1, 40));
    const hits = await store.search(scope, { vector: question, limit: 10 });
    const truth = await lance.search(scope, { vector: question, limit: 10 });
    expect(hits.map((hit) => hit.chunk)).toEqual(truth.map((hit) => hit.chunk));
    expect(calls).toMatchObject({ search: 0, fetch: 1 });
  });

  it('forgets the collection that was not searched longest when vectors take too much memory', async () => {
    const other = { tenant: 'default', collection: 'other' };
    await lance.ensureCollection(other, model);
    const store = withExactSearch(watched, { exactBelow: 100, maxIndexBytes: 100_000 });
    await store.search(scope, { vector: question, limit: 1 });
    await store.search(other, { vector: question, limit: 1 });
    expect(calls.describe).toBe(2);
    await store.search(other, { vector: question, limit: 1 });
    expect(calls.describe).toBe(2);
    await store.search(scope, { vector: question, limit: 1 });
    expect(calls.describe).toBe(3);
  });

  it('loads anew after a write of unknown outcome', async () => {
    const store = withExactSearch(watched, { exactBelow: 100 });
    await store.search(scope, { vector: question, limit: 1 });
    replyLost = true;
    await expect(store.upsert(scope, document('doc-a', 1, 3))).rejects.toThrow('the reply was lost');
    replyLost = false;
    expect(await store.search(scope, { vector: question, limit: 5 })).toHaveLength(3);
    expect(calls).toMatchObject({ search: 0, describe: 2 });
  });

  it('misses no write that came while it loaded', async () => {
    await lance.upsert(scope, document('before', 1, 60));
    const store = withExactSearch(watched, { exactBelow: 1000 });
    const searches: Promise<unknown>[] = [];
    const writes: Promise<unknown>[] = [];
    for (let number = 0; number < 10; number += 1) {
      searches.push(store.search(scope, { vector: question, limit: 5 }));
      writes.push(store.upsert(scope, document(`doc-${number}`, 1, 5)));
    }
    await Promise.all([...searches, ...writes]);
    calls.search = 0;
    expect(await store.search(scope, { vector: question, limit: 1000 })).toHaveLength(110);
    expect(calls.search).toBe(0);
  });
});
