import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { registryConformance } from '../src/conformance.ts';
import { openSqliteRegistry } from '../src/index.ts';
import { openDatabase } from '../src/sqlite-database.ts';

registryConformance('sqlite', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'vortex-registry-'));
  return {
    open: async (now) => openSqliteRegistry({ file: join(folder, 'registry.db'), now }),
    remove: () => rm(folder, { recursive: true }),
  };
});

describe('the SQLite file', () => {
  let folder: string;
  let file: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'vortex-registry-'));
    file = join(folder, 'not-there-yet', 'registry.db');
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('six processes start on an empty folder at the same moment, migrate once and all write', async () => {
    const worker = fileURLToPath(new URL('./registry-process.ts', import.meta.url));
    const processes = Array.from({ length: 6 }, (_, index) => run([worker, file, `writer-${index}`]));
    expect(await Promise.all(processes)).toEqual(Array.from({ length: 6 }, () => ({ code: 0, stderr: '' })));
    const registry = openSqliteRegistry({ file });
    const documents = await registry.listDocuments('default', { collection: 'shared', limit: 1000 });
    expect(documents).toHaveLength(6 * 20);
    expect(documents.every((document) => document.state === 'ready' && document.version === 1)).toBe(true);
    // All six processes also wrote to one document: as many versions as writes, and the newest is visible.
    const contended = await registry.findDocument('default', 'contended', 'one');
    expect(contended?.version).toBe(6 * 20);
    await registry.close();
  });

  it('is in WAL mode, with durable commits and foreign keys on', async () => {
    // The last two belong to a connection, not to the file: asked of the one that the adapter opens.
    const database = openDatabase(file);
    const pragma = (name: string) => database.prepare(`PRAGMA ${name}`).get()?.[name];
    expect(pragma('journal_mode')).toBe('wal');
    // 2 is FULL.
    expect(pragma('synchronous')).toBe(2);
    expect(pragma('foreign_keys')).toBe(1);
    database.close();
  });

  it('a file of a newer Vortex is refused with the way out, and left as it is', async () => {
    const registry = openSqliteRegistry({ file });
    await registry.close();
    const database = new DatabaseSync(file);
    database.exec('PRAGMA user_version = 999');
    expect(() => openSqliteRegistry({ file })).toThrow(/newer Vortex.*Start that version again/);
    expect(database.prepare('PRAGMA user_version').get()?.user_version).toBe(999);
    database.close();
  });

  it('closing twice is the same as once', async () => {
    const registry = openSqliteRegistry({ file });
    await registry.close();
    await registry.close();
    await expect(registry.getDocument('default', 'doc_x')).rejects.toThrow();
  });
});

function run(nodeArguments: string[]): Promise<{ code: number | null; stderr: string }> {
  const child = spawn(process.execPath, ['--conditions=vortex-source', '--no-warnings', ...nodeArguments]);
  let stderr = '';
  child.stderr.on('data', (data: Buffer) => {
    stderr += data.toString();
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stderr }));
  });
}
