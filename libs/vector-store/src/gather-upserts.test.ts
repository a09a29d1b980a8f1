import { describe, expect, it } from 'vitest';
import { InvalidRow, StoreUnavailable } from './errors.ts';
import { gatherUpserts } from './gather-upserts.ts';
import type { ChunkRow, VectorStore } from './vector-store.ts';

const scope = { tenant: 't', collection: 'c' };

function row(documentId: string): ChunkRow {
  return {
    ...{ document_id: documentId, version: 1, ordinal: 0, chunk_id: documentId, title: '', heading_path: [] },
    ...{ page: null, source_span: [0, 1], text: 'a', context: '', tokens: 1, vector: new Float32Array([1]) },
  };
}

/** Notes what reaches the store, and lets each upsert end when the test says so. */
function recordingStore() {
  const calls: string[] = [];
  const ends: PromiseWithResolvers<void>[] = [];
  const refuse = new Set<string>();
  const store: Pick<VectorStore, 'upsert' | 'deleteVersions' | 'dropCollection' | 'close'> = {
    async upsert(_scope, rows) {
      const names = rows.map(({ document_id }) => document_id);
      calls.push(names.join('+'));
      const end = Promise.withResolvers<void>();
      ends.push(end);
      await end.promise;
      if (names.some((name) => refuse.has(name))) throw new InvalidRow('no direction');
    },
    async deleteVersions() {
      calls.push('delete');
    },
    async dropCollection() {
      calls.push('drop');
    },
    async close() {},
  };
  return { calls, ends, refuse, store: store as VectorStore };
}

const turn = () => new Promise(setImmediate);

async function endAll(ends: PromiseWithResolvers<void>[]): Promise<void> {
  for (let at = 0; at < 10; at += 1) {
    for (const end of ends.splice(0)) end.resolve();
    await turn();
  }
}

describe('gathered upserts', () => {
  it('a lone one is written at once, and what comes meanwhile together, in its order', async () => {
    const { calls, ends, store } = recordingStore();
    const gathered = gatherUpserts(store, { pauseMs: 0 });
    const all = ['a', 'b', 'c'].map(async (name) => {
      if (name !== 'a') await turn();
      return gathered.upsert(scope, [row(name)]);
    });
    await turn();
    await turn();
    expect(calls).toEqual(['a']);
    await endAll(ends);
    await Promise.all(all);
    expect(calls).toEqual(['a', 'b+c']);
  });

  it('nobody is answered before the rows are stored', async () => {
    const { ends, store } = recordingStore();
    const gathered = gatherUpserts(store, { pauseMs: 0 });
    let answered = false;
    const stored = gathered.upsert(scope, [row('a')]).then(() => {
      answered = true;
    });
    await turn();
    await turn();
    expect(answered).toBe(false);
    await endAll(ends);
    await stored;
  });

  it('a rest is no longer than until a delete, which comes behind the upserts before it', async () => {
    const { calls, ends, store } = recordingStore();
    const gathered = gatherUpserts(store, { pauseMs: 3_600_000 });
    const first = gathered.upsert(scope, [row('a')]);
    await endAll(ends);
    await first;
    const second = gathered.upsert(scope, [row('b')]);
    await turn();
    expect(calls).toEqual(['a']);
    const deleted = gathered.deleteVersions(scope, [{ document_id: 'b', version: 1 }]);
    await turn();
    await endAll(ends);
    await Promise.all([second, deleted]);
    expect(calls).toEqual(['a', 'b', 'delete']);
  });

  it('a refused row fails its own caller, a store that is away all of them', async () => {
    const { calls, ends, refuse, store } = recordingStore();
    const gathered = gatherUpserts(store, { pauseMs: 0 });
    refuse.add('bad');
    const first = gathered.upsert(scope, [row('first')]);
    await turn();
    const bad = gathered.upsert(scope, [row('bad')]);
    const good = gathered.upsert(scope, [row('good')]);
    bad.catch(() => undefined);
    await endAll(ends);
    await expect(bad).rejects.toThrow(InvalidRow);
    await Promise.all([first, good]);
    expect(calls).toEqual(['first', 'bad+good', 'bad', 'good']);

    const away = gatherUpserts(
      {
        ...store,
        async upsert() {
          await turn();
          throw new StoreUnavailable('away');
        },
      },
      { pauseMs: 0 },
    );
    const failed = await Promise.allSettled(['a', 'b', 'c'].map((name) => away.upsert(scope, [row(name)])));
    expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
  });

  it('no write is larger than agreed, but for one that is so by itself', async () => {
    const { calls, ends, store } = recordingStore();
    const gathered = gatherUpserts(store, { pauseMs: 0, rowsAtOnce: 2 });
    const first = gathered.upsert(scope, [row('first')]);
    await turn();
    const large = gathered.upsert(scope, [row('l1'), row('l2'), row('l3')]);
    const small = ['a', 'b', 'c'].map((name) => gathered.upsert(scope, [row(name)]));
    await endAll(ends);
    await Promise.all([first, large, ...small]);
    expect(calls).toEqual(['first', 'l1+l2+l3', 'a+b', 'c']);
  });
});
