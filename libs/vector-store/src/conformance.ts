import { setImmediate as nextTurn } from 'node:timers/promises';
import { seededRandom } from '@vortex/routing';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { cosine } from './cosine.ts';
import { DimensionMismatch, InvalidRow, ModelMismatch, UnknownCollection } from './errors.ts';
import { rowId, versionKey } from './row-id.ts';
import type {
  ChunkRow,
  DocumentVersion,
  Scope,
  StoredRow,
  TextQuery,
  VectorModel,
  VectorStore,
} from './vector-store.ts';

// One piece: one suite that every adapter passes, on one small world of rows.

/** What a conformance run needs of an adapter. */
export interface StoreUnderTest {
  /** Opens the store on the run's data; called again after `close` to see what is still there. */
  open(): Promise<VectorStore>;
  /** Lets the store finish its background work (index, compaction) before the search quality is measured. */
  settle?(store: VectorStore, scope: Scope): Promise<void>;
  /** Removes the run's data; the store is closed by then. */
  remove(): Promise<void>;
}

const dimension = 48;
const model: VectorModel = { dimension, modelFingerprint: 'test-model@1' };

/**
 * The contract of the port `VectorStore`. Every adapter runs it; only tests import this file. It is one
 * piece because it is one contract: a reader of the port finds each promise as one test, in its order.
 */
export function storeConformance(name: string, make: () => Promise<StoreUnderTest>): void {
  describe(`vector store conformance: ${name}`, () => {
    let underTest: StoreUnderTest;
    let store: VectorStore;
    let scope: Scope;
    let scopes = 0;

    beforeAll(async () => {
      underTest = await make();
      store = await underTest.open();
    });

    afterAll(async () => {
      await store?.close();
      await underTest?.remove();
    });

    beforeEach(async () => {
      // A fresh collection per test, in one store: opening a store is what costs time.
      scope = { tenant: 'default', collection: `handbook-${scopes++}` };
      await store.ensureCollection(scope, model);
    });

    const found = async (query: ChunkRow, options: { limit?: number; excluded?: DocumentVersion[] } = {}) => {
      const { limit = 5, ...rest } = options;
      const hits = await store.search(scope, { vector: query.vector, limit, ...rest });
      return hits.map((hit) => hit.chunk.chunk_id);
    };

    it('gives back what was stored, with the cosine of question and chunk', async () => {
      const rows = document('doc-a', 1, 4);
      await store.upsert(scope, rows);

      const question = nudged(rowAt(rows, 2).vector, 9);
      const [best] = await store.search(scope, { vector: question, limit: 1 });

      const { vector, ...chunk } = rowAt(rows, 2);
      expect(best?.chunk).toEqual({ ...chunk, id: rowId(scope, chunk) });
      expect(best?.score).toBeCloseTo(cosine(question, vector), 5);
    });

    it('orders hits by their score and returns at most `limit`', async () => {
      await store.upsert(scope, document('doc-a', 1, 30));
      const hits = await store.search(scope, { vector: seeded(77), limit: 7 });
      const scores = hits.map((hit) => hit.score);
      expect(scores).toHaveLength(7);
      expect(scores).toEqual([...scores].sort((left, right) => right - left));
    });

    it('does not depend on the length of a vector, only on its direction', async () => {
      const [row] = document('doc-a', 1, 1);
      if (row === undefined) throw new Error('no row');
      await store.upsert(scope, [{ ...row, vector: row.vector.map((value) => value * 7) }]);
      const [hit] = await store.search(scope, { vector: row.vector.map((value) => value * 3), limit: 1 });
      expect(hit?.score).toBeCloseTo(1, 5);
    });

    it('changes nothing when a group is stored twice, and keeps the later content', async () => {
      const rows = document('doc-a', 1, 5);
      await store.upsert(scope, rows);
      await store.upsert(scope, rows);
      const changed = { ...rowAt(rows, 3), text: 'said better', vector: seeded(500) };
      await store.upsert(scope, [changed, changed]);

      expect(await store.count(scope)).toBe(5);
      const [hit] = await store.search(scope, { vector: seeded(500), limit: 1 });
      expect(hit?.chunk.text).toBe('said better');
    });

    it('accepts an empty group', async () => {
      await store.upsert(scope, []);
      expect(await store.count(scope)).toBe(0);
      expect(await found(rowAt(document('doc-a', 1, 1), 0))).toEqual([]);
    });

    it('keeps tenants and collections apart, also where their names run together', async () => {
      const apart: Scope[] = [
        { tenant: 'ab', collection: 'c' },
        { tenant: 'a', collection: 'bc' },
        { tenant: 'AB', collection: 'c' },
        { tenant: 'ab', collection: 'C' },
        { tenant: 'ab.c', collection: 'c' },
        { tenant: 'o\'neil \\ "quoted" %_/..', collection: 'c' },
        { tenant: '東京 🚆', collection: 'c' },
        { tenant: 'x'.repeat(100), collection: 'y'.repeat(64) },
      ];
      for (const [index, one] of apart.entries()) {
        await store.ensureCollection(one, model);
        await store.upsert(one, document(`doc-of-${index}`, 1, 2));
      }
      for (const [index, one] of apart.entries()) {
        const hits = await store.search(one, { vector: seeded(1), limit: 100 });
        expect(hits.map((hit) => hit.chunk.document_id)).toEqual(Array(2).fill(`doc-of-${index}`));
        expect(await store.listVersions(one)).toEqual([
          { document_id: `doc-of-${index}`, version: 1, rows: 2 },
        ]);
      }
      expect(await store.listScopes()).toEqual(expect.arrayContaining(apart));
      const [first, ...others] = apart;
      if (first === undefined) throw new Error('no scope');
      // The same document id in another collection must not go with it.
      const [second] = others;
      if (second === undefined) throw new Error('no scope');
      await store.upsert(second, document('doc-of-0', 1, 1));
      await store.deleteDocument(first, 'doc-of-0');
      await store.dropCollection(first);
      expect(await store.describe(first)).toBeNull();
      expect(await store.listScopes()).not.toContainEqual(first);
      expect(await store.count(second)).toBe(3);
      for (const one of others) {
        expect((await store.listVersions(one)).length).toBeGreaterThan(0);
        await store.dropCollection(one);
      }
    });

    it('carries any text unchanged: quotes, backslashes, emoji, right-to-left, zero bytes in between', async () => {
      const awkward = [
        "it's; DROP TABLE chunks; --",
        "back\\slash \\n not a newline \\' nor a quote",
        'real\nnewline\ttab\u0000zero',
        '👩‍👩‍👧 family, e\u0301 combining, \u202eright to left שלום',
        '"double" `backtick` %percent _under {brace} [bracket]',
      ];
      const rows = awkward.map((text, index): ChunkRow => {
        const document_id = `doc ${text.replace('\u0000', '')}`;
        const row = rowAt(document(document_id, 1, 1), 0);
        return {
          ...row,
          text,
          context: text,
          title: text,
          heading_path: [text, ''],
          vector: seeded(900 + index),
        };
      });
      await store.upsert(scope, rows);
      for (const row of rows) {
        const [hit] = await store.search(scope, { vector: row.vector, limit: 1 });
        expect(hit?.chunk).toMatchObject({ text: row.text, context: row.context, title: row.title });
        expect(hit?.chunk.heading_path).toEqual(row.heading_path);
        const others = await found(row, { limit: 10, excluded: [row] });
        expect(others).toHaveLength(awkward.length - 1);
      }
      for (const row of rows.slice(0, 3)) await store.deleteVersions(scope, [row]);
      for (const row of rows.slice(3)) await store.deleteDocument(scope, row.document_id);
      expect(await store.count(scope)).toBe(0);
    });

    it('stores half a surrogate pair as the replacement character: it could not travel as UTF-8', async () => {
      const row = { ...rowAt(document('doc-a', 1, 1), 0), text: 'cut \ud83d off', title: '\udc00' };
      await store.upsert(scope, [row]);
      const [hit] = await store.search(scope, { vector: row.vector, limit: 1 });
      expect(hit?.chunk).toMatchObject({ text: 'cut \ufffd off', title: '\ufffd' });
    });

    it('leaves excluded versions out and still fills the limit', async () => {
      const question = seeded(4000);
      const old = near(question, 'doc-a', 1, 40);
      const fresh = near(question, 'doc-a', 2, 3);
      const other = document('doc-b', 1, 10);
      await store.upsert(scope, [...old, ...fresh, ...other]);

      const excluded = [{ document_id: 'doc-a', version: 1 }];
      const hits = await store.search(scope, { vector: question, limit: 8, excluded });
      expect(hits).toHaveLength(8);
      expect(hits.slice(0, 3).map((hit) => hit.chunk.version)).toEqual([2, 2, 2]);
      expect(hits.slice(3).every((hit) => hit.chunk.document_id === 'doc-b')).toBe(true);

      const many = Array.from({ length: 1500 }, (_, index) => ({
        document_id: `gone-${index}`,
        version: index % 7,
      }));
      const all = await store.search(scope, {
        vector: question,
        limit: 100,
        excluded: [...many, ...excluded],
      });
      expect(all).toHaveLength(13);
    });

    it('returns rows of included versions only, and still fills the limit', async () => {
      const question = seeded(4000);
      await store.upsert(scope, [...near(question, 'doc-a', 1, 40), ...document('doc-b', 1, 10)]);
      await store.upsert(scope, document('doc-b', 2, 10));
      const included = [
        { document_id: 'doc-b', version: 1 },
        { document_id: 'doc-c', version: 1 },
      ];
      const hits = await store.search(scope, { vector: question, limit: 8, included });
      expect(hits.map((hit) => versionKey(hit.chunk))).toEqual(Array(8).fill('1 doc-b'));
      const both = { included, excluded: [{ document_id: 'doc-b', version: 1 }] };
      expect(await store.search(scope, { vector: question, limit: 8, ...both })).toEqual([]);
      expect(await store.search(scope, { vector: question, limit: 8, included: [] })).toEqual([]);
    });

    it('ranks the rows that a search returns, without their chunks', async () => {
      await store.upsert(scope, document('doc-a', 1, 30));
      const query = { vector: seeded(77), limit: 7, excluded: [{ document_id: 'doc-z', version: 1 }] };
      const hits = await store.search(scope, query);
      const ranked = await store.rank(scope, query);
      expect(ranked.map(({ score: _, ...row }) => row)).toEqual(
        hits.map(({ chunk: { id, document_id, version } }) => ({ id, document_id, version })),
      );
      for (const [place, row] of ranked.entries()) expect(row.score).toBeCloseTo(hits[place]?.score ?? 9, 5);
    });

    it('says the cosine of rows that were found otherwise', async () => {
      const rows = document('doc-a', 1, 20);
      await store.upsert(scope, rows);
      const question = seeded(55);
      const asked = [3, 11, 7].map((index) => rowId(scope, rowAt(rows, index)));
      const gone = rowId(scope, { ...rowAt(rows, 0), version: 9 });
      const cosines = await store.cosines(scope, question, [...asked, gone]);
      expect([...cosines.keys()].sort()).toEqual([...asked].sort());
      for (const index of [3, 11, 7]) {
        const row = rowAt(rows, index);
        expect(cosines.get(rowId(scope, row))).toBeCloseTo(cosine(question, row.vector), 5);
      }
      expect(await store.cosines(scope, question, [])).toEqual(new Map());
      await expect(store.cosines(scope, seeded(1, dimension + 1), asked)).rejects.toThrow(DimensionMismatch);
    });

    const worded = (document_id: string, texts: readonly string[], version = 1) =>
      document(document_id, version, texts.length).map((row, index) => {
        const text = texts[index] ?? '';
        return { ...row, text, context: '', source_span: [0, text.length] as [number, number] };
      });
    const foundByWords = async (text: string, more: Partial<TextQuery> = {}) =>
      (await store.rankText(scope, { text, limit: 10, ...more })).map(({ id }) => id);
    const idOf = (document_id: string, ordinal: number, version = 1) =>
      rowId(scope, { document_id, version, ordinal });

    it('finds chunks by their words: whatever their case and ending, rare words before common ones', async () => {
      const texts = [
        'The boiler is inspected every spring.',
        'Warranties of the pump: two years from delivery.',
        'Every pump has a valve, and every boiler has one.',
        'Ölwechsel am Kessel, 停电 und Ähnliches.',
        'A valve is turned by hand.',
      ];
      await store.upsert(scope, worded('doc-a', texts));
      expect(await foundByWords('warranty')).toEqual([idOf('doc-a', 1)]);
      expect(await foundByWords('INSPECTING boilers')).toEqual([idOf('doc-a', 0), idOf('doc-a', 2)]);
      expect(await foundByWords('ölwechsel?')).toEqual([idOf('doc-a', 3)]);
      expect(await foundByWords('停电')).toEqual([idOf('doc-a', 3)]);
      // One word of the two is in each: the pump is rarer than nothing, "delivery" is rarer than the pump.
      const ranked = await store.rankText(scope, { text: 'delivery of a pump', limit: 10 });
      expect(ranked.map(({ id }) => id)).toEqual([idOf('doc-a', 1), idOf('doc-a', 2)]);
      expect(ranked[0]).toMatchObject({ document_id: 'doc-a', version: 1 });
      const scores = ranked.map(({ score }) => score);
      expect(scores[0]).toBeGreaterThan(scores[1] ?? Number.POSITIVE_INFINITY);
      expect(scores[1]).toBeGreaterThan(0);
      expect(await foundByWords('valve', { limit: 1 })).toHaveLength(1);
    });

    it('finds nothing by words that are in no chunk, or that are in all texts', async () => {
      await store.upsert(scope, worded('doc-a', ['It is what it is.', 'A boiler.']));
      for (const text of ['turbine', 'what is it', '?! …', '"AND" (NOT: -* ^~', "it's; DROP TABLE"]) {
        expect(await foundByWords(text)).toEqual([]);
      }
      await expect(foundByWords('boiler', { limit: 0 })).rejects.toThrow(InvalidRow);
    });

    it('finds a chunk also by what stands above it', async () => {
      const [row] = worded('doc-a', ['12 bar']);
      if (row === undefined) throw new Error('no row');
      await store.upsert(scope, [{ ...row, context: 'Manual › Pressure vessels' }]);
      expect(await foundByWords('vessel pressure')).toEqual([idOf('doc-a', 0)]);
      expect(await foundByWords('bar')).toEqual([idOf('doc-a', 0)]);
    });

    it('filters inside the search by words, as in the one by vectors', async () => {
      const old = worded('doc-a', Array(40).fill('boiler boiler boiler'));
      const fresh = worded('doc-a', Array(3).fill('boiler and pump'), 2);
      await store.upsert(scope, [...old, ...fresh, ...worded('doc-b', Array(10).fill('one boiler of many'))]);
      const hidden = [{ document_id: 'doc-a', version: 1 }];
      const visible = await foundByWords('boiler', { excluded: hidden });
      expect(visible).toHaveLength(10);
      const old40 = new Set(old.map((row) => rowId(scope, row)));
      expect(visible.filter((id) => old40.has(id))).toEqual([]);
      const included = [{ document_id: 'doc-a', version: 2 }];
      const only = [0, 1, 2].map((ordinal) => idOf('doc-a', ordinal, 2)).sort();
      expect(await foundByWords('boiler', { included })).toEqual(only);
      expect(await foundByWords('boiler', { included: [] })).toEqual([]);
    });

    it('forgets the words of what was deleted or overwritten, and counts the same rows as are stored', async () => {
      expect(await store.lexicalCount(scope)).toBe(0);
      await store.upsert(scope, worded('doc-a', ['a boiler', 'a pump', 'the of and']));
      expect(await foundByWords('boiler')).toHaveLength(1);
      await store.upsert(scope, worded('doc-b', ['another boiler']));
      expect(await store.lexicalCount(scope)).toBe(4);
      await underTest.settle?.(store, scope);
      await store.upsert(scope, worded('doc-a', ['a turbine']));
      expect(await foundByWords('boiler')).toEqual([idOf('doc-b', 0)]);
      expect(await foundByWords('turbine')).toEqual([idOf('doc-a', 0)]);
      expect(await store.lexicalCount(scope)).toBe(4);
      await store.deleteVersions(scope, [{ document_id: 'doc-b', version: 1 }]);
      expect(await foundByWords('boiler')).toEqual([]);
      await store.deleteDocument(scope, 'doc-a');
      expect(await foundByWords('turbine pump')).toEqual([]);
      expect(await store.lexicalCount(scope)).toBe(0);
    });

    it('keeps words of tenants and collections apart', async () => {
      const other = { tenant: 'other', collection: scope.collection };
      await store.ensureCollection(other, model);
      await store.upsert(other, worded('doc-a', ['a secret boiler']));
      await store.upsert(scope, worded('doc-b', ['a boiler']));
      expect(await foundByWords('secret boiler')).toEqual([idOf('doc-b', 0)]);
      expect(await store.lexicalCount(scope)).toBe(1);
      expect(
        await store.cosines(scope, seeded(1), [rowId(other, worded('doc-a', ['x'])[0] ?? expect.fail())]),
      ).toEqual(new Map());
      await store.dropCollection(other);
    });

    it('deletes versions and documents for good, and agrees to delete what is not there', async () => {
      await store.upsert(scope, [
        ...document('doc-a', 1, 3),
        ...document('doc-a', 2, 3),
        ...document('doc-b', 1, 2),
      ]);
      await store.deleteVersions(scope, [
        { document_id: 'doc-a', version: 1 },
        { document_id: 'never', version: 1 },
      ]);
      expect(sorted(await store.listVersions(scope))).toEqual([
        { document_id: 'doc-a', version: 2, rows: 3 },
        { document_id: 'doc-b', version: 1, rows: 2 },
      ]);
      await store.deleteVersions(scope, []);
      await store.deleteDocument(scope, 'doc-a');
      await store.deleteDocument(scope, 'doc-a');
      expect(await store.count(scope)).toBe(2);
      const hits = await store.search(scope, { vector: seeded(3), limit: 10 });
      expect(new Set(hits.map((hit) => hit.chunk.document_id))).toEqual(new Set(['doc-b']));
    });

    it('finds a row again that was deleted and stored anew', async () => {
      const rows = document('doc-a', 1, 3);
      await store.upsert(scope, rows);
      await store.deleteDocument(scope, 'doc-a');
      await store.upsert(scope, rows);
      expect(await found(rowAt(rows, 1), { limit: 1 })).toEqual([rowAt(rows, 1).chunk_id]);
    });

    it('fetches chunks by id and leaves out ids that are gone', async () => {
      const rows = document('doc-a', 1, 3);
      await store.upsert(scope, rows);
      const ids = rows.slice(0, 2).map((row) => rowId(scope, row));
      const fetched = await store.fetch(scope, [...ids, rowId(scope, { ...rowAt(rows, 0), version: 9 })]);
      expect(fetched.map((chunk) => chunk.chunk_id).sort()).toEqual(['doc-a/1/0', 'doc-a/1/1']);
      expect(await store.fetch(scope, [])).toEqual([]);
    });

    it('scans every row once, with the direction of its vector', async () => {
      const rows = [...document('doc-a', 1, 600), ...document('doc-b', 3, 5)];
      await store.upsert(scope, rows);
      const scanned = new Map<string, StoredRow>();
      let seen = 0;
      for await (const batch of store.scan(scope)) {
        for (const row of batch) scanned.set(row.chunk_id, row);
        seen += batch.length;
      }
      expect(seen).toBe(605);
      for (const row of rows) {
        const { id, vector, ...rest } =
          scanned.get(row.chunk_id) ?? expect.fail(`${row.chunk_id} is missing`);
        const { vector: stored, ...chunk } = row;
        expect(rest).toEqual(chunk);
        expect(id).toBe(rowId(scope, row));
        expect(cosine(vector, stored)).toBeCloseTo(1, 5);
      }
    });

    it('describes a collection, and refuses vectors of another model', async () => {
      await store.upsert(scope, document('doc-a', 1, 2));
      expect(await store.describe(scope)).toEqual({ ...model, rows: 2 });
      await store.ensureCollection(scope, model);
      expect(await store.count(scope)).toBe(2);
      const other = { dimension, modelFingerprint: 'test-model@2' };
      await expect(store.ensureCollection(scope, other)).rejects.toThrow(ModelMismatch);
      const longer = { dimension: dimension + 1, modelFingerprint: model.modelFingerprint };
      await expect(store.ensureCollection(scope, longer)).rejects.toThrow(ModelMismatch);
    });

    it('refuses a group of which one row does not fit, and stores none of it', async () => {
      const rows = document('doc-a', 1, 3);
      const wrong = [
        { vector: new Float32Array(dimension + 1).fill(1), refused: DimensionMismatch },
        { vector: new Float32Array(dimension), refused: InvalidRow },
        { vector: new Float32Array(dimension).fill(Number.NaN), refused: InvalidRow },
      ];
      for (const { vector, refused } of wrong) {
        const group = [...rows, { ...rowAt(rows, 0), ordinal: 99, vector }];
        await expect(store.upsert(scope, group)).rejects.toThrow(refused);
        await expect(store.search(scope, { vector, limit: 3 })).rejects.toThrow(refused);
      }
      expect(await store.count(scope)).toBe(0);
    });

    it('knows no rows of a collection that was never made', async () => {
      const missing = { tenant: 'default', collection: 'never-made' };
      const [row] = document('doc-a', 1, 1);
      if (row === undefined) throw new Error('no row');
      await expect(store.upsert(missing, [row])).rejects.toThrow(UnknownCollection);
      await expect(store.search(missing, { vector: row.vector, limit: 1 })).rejects.toThrow(
        UnknownCollection,
      );
      await expect(store.rank(missing, { vector: row.vector, limit: 1 })).rejects.toThrow(UnknownCollection);
      await expect(store.rankText(missing, { text: 'word', limit: 1 })).rejects.toThrow(UnknownCollection);
      await expect(store.cosines(missing, row.vector, [])).rejects.toThrow(UnknownCollection);
      expect(await store.lexicalCount(missing)).toBe(0);
      await expect(drain(store.scan(missing))).rejects.toThrow(UnknownCollection);
      expect(await store.describe(missing)).toBeNull();
      expect(await store.count(missing)).toBe(0);
      expect(await store.listVersions(missing)).toEqual([]);
      await store.deleteDocument(missing, 'doc-a');
      await store.deleteVersions(missing, [{ document_id: 'doc-a', version: 1 }]);
      await store.dropCollection(missing);
    });

    it('makes a dropped collection anew, empty and for another model', async () => {
      await store.upsert(scope, document('doc-a', 1, 20));
      await store.search(scope, { vector: seeded(1), limit: 3 });
      await store.dropCollection(scope);
      const other = { dimension: 16, modelFingerprint: 'other@1' };
      await store.ensureCollection(scope, other);
      expect(await store.describe(scope)).toEqual({ ...other, rows: 0 });
      const row = { ...rowAt(document('doc-z', 1, 1), 0), vector: seeded(5, 16) };
      await store.upsert(scope, [row]);
      const hits = await store.search(scope, { vector: seeded(6, 16), limit: 3 });
      expect(hits.map((hit) => hit.chunk.document_id)).toEqual(['doc-z']);
    });

    it('lets searches run beside writes, and a write that has resolved is in every later search', async () => {
      const groups = Array.from({ length: 12 }, (_, index) => document(`doc-${index}`, 1, 8));
      const resolved = new Set<string>();
      const writes = Promise.all(
        groups.map(async (group) => {
          await store.upsert(scope, group);
          resolved.add(rowAt(group, 0).document_id);
        }),
      );
      for (let searches = 0; searches < 3 || resolved.size < groups.length; searches += 1) {
        const before = [...resolved];
        const hits = await store.search(scope, { vector: seeded(searches), limit: 200 });
        const rows = new Map<string, number>();
        for (const { chunk } of hits) rows.set(chunk.document_id, (rows.get(chunk.document_id) ?? 0) + 1);
        for (const documentId of before) expect(rows.get(documentId)).toBe(8);
        // A search in memory is answered without a turn of the event loop, and writes may wait for one.
        await nextTurn();
      }
      await writes;
      expect(await found(rowAt(groups[11] ?? [], 7), { limit: 1 })).toEqual(['doc-11/1/7']);
    });

    it('finds 0.95 of the true best five among 3,600 rows, also after deletes and new rows', async () => {
      const rows = Array.from({ length: 12 }, (_, index) => document(`doc-${index}`, 1, 300)).flat();
      for (let from = 0; from < rows.length; from += 900)
        await store.upsert(scope, rows.slice(from, from + 900));
      await underTest.settle?.(store, scope);
      await store.deleteDocument(scope, 'doc-3');
      const late = document('late', 1, 100);
      await store.upsert(scope, late);
      const present = [...rows.filter((row) => row.document_id !== 'doc-3'), ...late];
      const excluded = [{ document_id: 'doc-5', version: 1 }];
      const visible = present.filter((row) => row.document_id !== 'doc-5');

      let agreed = 0;
      const questions = Array.from({ length: 40 }, (_, index) =>
        nudged(rowAt(visible, index * 75).vector, index),
      );
      for (const vector of questions) {
        const best = visible
          .map((row) => ({ id: row.chunk_id, score: cosine(row.vector, vector) }))
          .sort((left, right) => right.score - left.score)
          .slice(0, 5);
        const hits = await store.search(scope, { vector, limit: 5, excluded });
        expect(hits).toHaveLength(5);
        for (const hit of hits) {
          const truth = best.find((one) => one.id === hit.chunk.chunk_id);
          if (truth === undefined) continue;
          agreed += 1;
          expect(hit.score).toBeCloseTo(truth.score, 4);
        }
      }
      expect(agreed / (5 * questions.length)).toBeGreaterThanOrEqual(0.95);
    });

    it('is healthy, and still has everything after it was closed and opened again', async () => {
      expect((await store.health()).ok).toBe(true);
      await store.upsert(scope, document('doc-a', 1, 6));
      await store.close();
      await store.close();
      expect((await store.health()).ok).toBe(false);
      await expect(store.count(scope)).rejects.toThrow();

      store = await underTest.open();
      expect(await store.describe(scope)).toEqual({ ...model, rows: 6 });
      const rows = document('doc-a', 1, 6);
      expect(await found(rowAt(rows, 4), { limit: 1 })).toEqual([rowAt(rows, 4).chunk_id]);
      await store.upsert(scope, document('doc-b', 1, 1));
      expect(await store.count(scope)).toBe(7);
    });
  });
}

/** `count` chunks of a document version; the vectors depend on document, version and ordinal only. */
export function document(document_id: string, version: number, count: number): ChunkRow[] {
  return Array.from({ length: count }, (_, ordinal) => {
    const text = `chunk ${ordinal} of ${document_id}, version ${version}`;
    return {
      chunk_id: `${document_id}/${version}/${ordinal}`,
      document_id,
      version,
      ordinal,
      title: `Title of ${document_id}`,
      text,
      context: ordinal % 2 === 0 ? '' : 'Part one',
      heading_path: ordinal % 3 === 0 ? [] : ['Part one', `Chapter ${ordinal}`],
      page: ordinal % 2 === 0 ? null : ordinal,
      source_span: [ordinal * 100, ordinal * 100 + text.length],
      tokens: 5 + ordinal,
      vector: seeded(hash(`${document_id}/${version}/${ordinal}`)),
    };
  });
}

/** The same, all of them closer to `centre` than chance would put any row. */
function near(centre: Float32Array, document_id: string, version: number, count: number): ChunkRow[] {
  return document(document_id, version, count).map((row, index) => ({
    ...row,
    vector: nudged(centre, index),
  }));
}

function rowAt(rows: readonly ChunkRow[], index: number): ChunkRow {
  const row = rows[index];
  if (row === undefined) throw new RangeError(`no row ${index}`);
  return row;
}

/** A unit vector from a seed, so that every run compares the same numbers. */
export function seeded(seed: number, length = dimension): Float32Array {
  const random = seededRandom(seed);
  const vector = Float32Array.from({ length }, () => random() - 0.5);
  const norm = Math.hypot(...vector);
  return vector.map((value) => value / norm);
}

function nudged(vector: Float32Array, seed: number): Float32Array {
  const noise = seeded(seed + 100_000, vector.length);
  return vector.map((value, index) => value + 0.4 * (noise[index] ?? 0));
}

function hash(text: string): number {
  let value = 17;
  for (let index = 0; index < text.length; index += 1)
    value = (Math.imul(value, 31) + text.charCodeAt(index)) | 0;
  return value;
}

function sorted<Version extends DocumentVersion>(versions: readonly Version[]): Version[] {
  const key = (one: Version) => `${one.document_id} ${one.version}`;
  return [...versions].sort((left, right) => (key(left) < key(right) ? -1 : 1));
}

async function drain(rows: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of rows);
}
