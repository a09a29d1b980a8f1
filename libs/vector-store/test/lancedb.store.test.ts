import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { connect } from '@lancedb/lancedb';
import { createLogger } from '@vortex/observability';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { document, seeded, storeConformance } from '../src/conformance.ts';
import { StoreUnavailable } from '../src/errors.ts';
import { tableName, toTable } from '../src/lancedb-rows.ts';
import { type LanceStore, openLanceStore } from '../src/lancedb-store.ts';
import { rowId } from '../src/row-id.ts';

const log = createLogger({ service: 'test', level: 'silent' });
const scope = { tenant: 'default', collection: 'handbook' };
const model = { dimension: 48, modelFingerprint: 'test-model@1' };

storeConformance('LanceDB', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'vortex-lance-'));
  let lance: LanceStore | undefined;
  return {
    async open() {
      lance = await openLanceStore({ dir, log });
      return lance;
    },
    async settle(_store, settled) {
      await lance?.upkeep(settled);
    },
    remove: () => rm(dir, { recursive: true, force: true }),
  };
});

describe('LanceDB in a folder', () => {
  let dir: string;
  let store: LanceStore | undefined;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'vortex-lance-'));
  });

  afterEach(async () => {
    await store?.close();
    await rm(dir, { recursive: true, force: true });
  });

  const files = async () => {
    const table = join(dir, `${tableName(scope)}.lance`);
    const entries = await readdir(table, { recursive: true, withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  };

  it('keeps what was stored when its process is killed in the middle of writing, three times over', async () => {
    let stored = -1;
    for (let kill = 0; kill < 3; kill += 1) {
      const writer = spawn(
        process.execPath,
        ['--conditions=vortex-source', join(import.meta.dirname, 'lancedb-writer.ts'), dir],
        { stdio: ['ignore', 'pipe', 'inherit'] },
      );
      let said = -1;
      for await (const line of createInterface(writer.stdout)) {
        said = Number(line);
        if (said === 10 + kill) writer.kill('SIGKILL');
      }
      if (writer.exitCode === null && writer.signalCode === null) await once(writer, 'exit');
      expect(said).toBeGreaterThanOrEqual(10 + kill);
      stored = Math.max(stored, said);
    }

    store = await openLanceStore({ dir, log });
    const killed = { tenant: 'default', collection: 'killed' };
    const versions = await store.listVersions(killed);
    for (let number = 0; number <= stored; number += 1) {
      expect(versions).toContainEqual({ document_id: `doc-${number}`, version: 1, rows: 8 });
    }
    expect(versions.every((version) => version.rows === 8)).toBe(true);
    await store.upsert(killed, document('afterwards', 1, 8));
    await store.upkeep(killed);
    expect(await store.count(killed)).toBe((versions.length + 1) * 8);
  });

  it('belongs to one process at a time, and says so', async () => {
    store = await openLanceStore({ dir, log });
    const second = openLanceStore({ dir, log });
    await expect(second).rejects.toThrow(StoreUnavailable);
    await expect(second).rejects.toThrow(/another process owns/);
    await store.close();
    store = await openLanceStore({ dir, log });
    expect((await store.health()).ok).toBe(true);
  });

  it('shows a search the whole of a group or nothing of it', async () => {
    const opened = await openLanceStore({ dir, log });
    store = opened;
    await opened.ensureCollection(scope, model);
    const groups = Array.from({ length: 12 }, (_, index) => document(`doc-${index}`, 1, 8));
    const left = new Set(groups);
    const writes = groups.map((group) => opened.upsert(scope, group).finally(() => left.delete(group)));
    do {
      const hits = await opened.search(scope, { vector: seeded(1), limit: 200 });
      const rows = Map.groupBy(hits, (hit) => hit.chunk.document_id);
      expect([...rows.values()].filter((group) => group.length !== 8)).toEqual([]);
    } while (left.size > 0);
    await Promise.all(writes);
  });

  it('keeps the number of files bounded while small groups are written', async () => {
    store = await openLanceStore({ dir, log, limits: { tidyAtCommits: 10, keepVersionsMs: 0 } });
    await store.ensureCollection(scope, model);
    for (let number = 0; number < 60; number += 1) {
      await store.upsert(scope, document(`doc-${number}`, 1, 4));
      if (number % 3 === 2) await store.deleteDocument(scope, `doc-${number - 1}`);
    }
    const untidied = await files();
    await store.upkeep(scope);
    await store.upkeep(scope);
    const tidied = await files();
    // Data of before, of and since the last round of the index, the versions of two rounds and their transaction files.
    expect(tidied.filter((file) => file.includes('/data/')).length).toBeLessThanOrEqual(3);
    expect(tidied.filter((file) => !file.includes('/_indices/')).length).toBeLessThan(12);
    expect(untidied.length).toBeLessThan(250);
    expect(await store.count(scope)).toBe(40 * 4);
  });

  it('builds the index when it pays, finds it again after reopening, and takes new rows into it', async () => {
    const limits = { indexFromRows: 300, keepVersionsMs: 0 };
    store = await openLanceStore({ dir, log, limits });
    await store.ensureCollection(scope, model);
    const rows = document('doc-a', 1, 320);
    await store.upsert(scope, rows.slice(0, 200));
    await store.upkeep(scope);
    expect((await files()).some((file) => file.endsWith('.idx'))).toBe(false);
    await store.upsert(scope, rows.slice(200));
    await store.upkeep(scope);
    expect((await files()).some((file) => file.endsWith('.idx'))).toBe(true);

    await store.close();
    store = await openLanceStore({ dir, log, limits });
    await store.upsert(scope, document('doc-b', 1, 10));
    await store.upkeep(scope);
    for (const row of [...rows.slice(0, 5), ...document('doc-b', 1, 10)]) {
      const [hit] = await store.search(scope, { vector: row.vector, limit: 1 });
      expect(hit?.chunk.chunk_id).toBe(row.chunk_id);
      // The index alone would report 1 − 2 × distance; exact only because the search refines.
      expect(hit?.score).toBeCloseTo(1, 5);
    }
  });

  it('finds rows by words before and after upkeep has taken them into the index, best of both first', async () => {
    store = await openLanceStore({ dir, log, limits: { keepVersionsMs: 0 } });
    await store.ensureCollection(scope, model);
    const group = (number: number) =>
      document(`doc-${number}`, 1, 5).map((row) => ({
        ...row,
        context: '',
        text: `${'pump '.repeat(1 + number)}of a boiler`,
      }));
    const order = async () => {
      const ranked = await store?.rankText(scope, { text: 'pumps', limit: 1000 });
      return ranked?.map(({ document_id }) => document_id);
    };
    for (let number = 0; number < 6; number += 1) {
      await store.upsert(scope, group(number));
      if (number % 2 === 1) await store.upkeep(scope);
    }
    const expected = [5, 4, 3, 2, 1, 0].flatMap((number) => Array(5).fill(`doc-${number}`));
    await store.upkeep(scope);
    expect(await order()).toEqual(expected);
    await store.upsert(scope, group(2));
    await store.deleteDocument(scope, 'doc-4');
    expect((await order())?.sort()).toEqual(expected.filter((name) => name !== 'doc-4').sort());
    expect((await order())?.[0]).toBe('doc-5');
  });

  it('makes the words of an older table searchable when it opens it', async () => {
    const rows = document('doc-a', 1, 700).map((row) => ({ ...row, text: `${row.text} pump` }));
    const old = await connect(dir);
    const table = toTable(
      model,
      rows.map((row) => ({ ...row, id: rowId(scope, row) })),
    );
    const columns = table.schema.names.map(String).filter((name) => name !== 'terms');
    await old.createTable(tableName(scope), table.select(columns), { existOk: false });
    old.close();

    store = await openLanceStore({ dir, log });
    expect(await store.describe(scope)).toEqual({ ...model, rows: 700 });
    expect(await store.lexicalCount(scope)).toBe(700);
    expect(await store.rankText(scope, { text: 'pumps', limit: 1000 })).toHaveLength(700);
    await store.upsert(scope, document('doc-b', 1, 2));
    const [best] = await store.search(scope, { vector: rows[3]?.vector ?? seeded(1), limit: 1 });
    expect(best?.chunk.chunk_id).toBe('doc-a/1/3');
    expect(await store.count(scope)).toBe(702);
  });

  it('takes writes and searches while the index is built, and finds all of them afterwards', async () => {
    store = await openLanceStore({ dir, log, limits: { indexFromRows: 300 } });
    await store.ensureCollection(scope, model);
    await store.upsert(scope, document('doc-a', 1, 2500));
    let built = false;
    const building = store.upkeep(scope).finally(() => {
      built = true;
    });
    const written: string[] = [];
    do {
      const name = `late-${written.length}`;
      await store.upsert(scope, document(name, 1, 3));
      written.push(name);
      if (written.length === 2) await store.deleteVersions(scope, [{ document_id: 'late-0', version: 1 }]);
      expect(await store.search(scope, { vector: seeded(written.length), limit: 3 })).toHaveLength(3);
    } while (!built || written.length < 3);
    await building;
    await store.upkeep(scope);
    expect(await store.count(scope)).toBe(2500 + 3 * (written.length - 1));
    for (const name of written.slice(1)) {
      for (const row of document(name, 1, 3)) {
        const [hit] = await store.search(scope, { vector: row.vector, limit: 1 });
        expect(hit?.chunk.chunk_id).toBe(row.chunk_id);
      }
    }
  });

  it('closes while an index is being built, and loses nothing by it', async () => {
    const opened = await openLanceStore({ dir, log, limits: { indexFromRows: 300 } });
    await opened.ensureCollection(scope, model);
    await opened.upsert(scope, document('doc-a', 1, 2500));
    const building = opened.upkeep(scope);
    await opened.upsert(scope, document('doc-b', 1, 3));
    await opened.close();
    await expect(opened.upsert(scope, document('doc-c', 1, 1))).rejects.toThrow(StoreUnavailable);
    await building;

    store = await openLanceStore({ dir, log });
    expect(await store.count(scope)).toBe(2503);
  });

  it('refuses writes to a collection that is being dropped, and leaves nothing of it', async () => {
    store = await openLanceStore({ dir, log });
    await store.ensureCollection(scope, model);
    const dropping = store.dropCollection(scope);
    await expect(store.upsert(scope, document('doc-a', 1, 3))).rejects.toThrow();
    await dropping;
    expect((await readdir(dir)).filter((name) => name.endsWith('.lance'))).toEqual([]);
    await store.ensureCollection(scope, model);
    expect(await store.count(scope)).toBe(0);
  });

  it('makes a table anew of which only the empty folder was made before a crash', async () => {
    await mkdir(join(dir, `${tableName(scope)}.lance`, '_versions'), { recursive: true });
    store = await openLanceStore({ dir, log });
    expect(await store.describe(scope)).toBeNull();
    await store.ensureCollection(scope, model);
    await store.upsert(scope, document('doc-a', 1, 2));
    expect(await store.count(scope)).toBe(2);
  });

  it('shares one table between calls that race to make it', async () => {
    const opened = await openLanceStore({ dir, log });
    store = opened;
    const groups = Array.from({ length: 6 }, (_, index) => document(`doc-${index}`, 1, 3));
    await Promise.all(
      groups.map(async (group) => {
        await opened.ensureCollection(scope, model);
        await opened.upsert(scope, group);
      }),
    );
    expect(await store.count(scope)).toBe(18);
  });
});
