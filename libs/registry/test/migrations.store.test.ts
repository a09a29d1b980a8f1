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
});
