import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSqliteRegistry } from '../src/index.ts';

describe('a file of an older Vortex', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'vortex-registry-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('of the first schema is brought up to date with its rows in place', async () => {
    const file = join(folder, 'registry.db');
    const first = new URL('../migrations/sqlite/0001-collections-and-documents.sql', import.meta.url);
    const old = new DatabaseSync(file);
    old.exec(readFileSync(first, 'utf8'));
    old.exec(
      "INSERT INTO collections (tenant, name, created_at, updated_at) VALUES ('default', 'kept', 1, 1)",
    );
    old.exec('PRAGMA user_version = 1');
    old.close();
    const registry = openSqliteRegistry({ file });
    expect(await registry.getCollection('default', 'kept')).toMatchObject({ name: 'kept', createdAt: 1 });
    expect(await registry.storedGroups('default', 'doc_none', 1)).toEqual([]);
    await registry.close();
  });

  it('of the second schema keeps its documents, and gives up what its jobs were building', async () => {
    const file = join(folder, 'registry.db');
    const old = new DatabaseSync(file);
    for (const name of ['0001-collections-and-documents.sql', '0002-stored-groups.sql']) {
      old.exec(readFileSync(new URL(`../migrations/sqlite/${name}`, import.meta.url), 'utf8'));
    }
    old.exec(`
      INSERT INTO collections (tenant, name, created_at, updated_at) VALUES ('default', 'kept', 1, 1);
      INSERT INTO documents (id, tenant, collection, external_id, title, media_type, state, visible_version, next_version,
                             bytes, chunks, tokens, content_hash, text_hash, created_at, updated_at)
        VALUES ('doc_1', 'default', 'kept', 'Ä.md', 'ÄRGER', 'text/markdown', 'ready', 1, 3, 10, 2, 20, 'c1', 't1', 1, 1);
      INSERT INTO versions (document_id, version, state, job_id, title, media_type, content_hash, settings_hash, created_at)
        VALUES ('doc_1', 1, 'visible', 'job_1', 'ÄRGER', 'text/markdown', 'c1', 's', 1),
               ('doc_1', 2, 'building', 'job_2', 'ÄRGER', 'text/markdown', 'c2', 's', 1);
      INSERT INTO stored_groups VALUES ('doc_1', 2, 0, 16);
      PRAGMA user_version = 2;`);
    old.close();
    let clock = 2;
    const registry = openSqliteRegistry({ file, now: () => clock });
    expect(await registry.visibleVersions('default', 'kept')).toEqual([
      { documentId: 'doc_1', version: 1, title: 'ÄRGER', chunks: 2, metadata: {} },
    ]);
    expect(await registry.listDocuments('default', { q: 'ärger' })).toMatchObject([
      { pages: null, filename: null },
    ]);
    expect(await registry.ownedContents('text', ['t1', 'c1'])).toEqual(new Set(['t1']));
    expect(await registry.ownedContents('original', ['c1', 'c2'])).toEqual(new Set());
    expect(await registry.storedGroups('default', 'doc_1', 2)).toHaveLength(1);
    expect(await registry.staleVersions()).toEqual([]);
    // No job stands in the registry for the second version: nobody will finish it.
    clock += 25 * 3_600_000;
    expect(await registry.staleVersions()).toMatchObject([{ documentId: 'doc_1', version: 2 }]);
    expect(await registry.storedGroups('default', 'doc_1', 2)).toEqual([]);
    expect(await registry.getDocument('default', 'doc_1')).toMatchObject({
      state: 'ready',
      lastError: { code: 'internal' },
    });
    await registry.close();
  });
});
