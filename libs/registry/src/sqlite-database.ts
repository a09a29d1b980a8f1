import { chmodSync, closeSync, fstatSync, mkdirSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { inTransaction } from './sqlite-transactions.ts';

const migrationsFolder = new URL('../migrations/sqlite/', import.meta.url);

/** Shorter than a worker's lease (10 s): a lock somebody holds too long must not make this process look frozen. */
const busyTimeoutMs = 5_000;

/**
 * Opens (and creates) the registry's file and brings its schema up to date. All processes of a host
 * share the file.
 *
 * synchronous=FULL, not NORMAL: under NORMAL a power cut may take back commits that were acknowledged.
 * The retriever purges a superseded version's vectors once the switch is committed; a switch taken back
 * after that purge would leave a document whose visible version has no rows. A synced commit takes 0.23 ms instead of
 * 0.02 (measured on a 2-core virtual machine). Notes that nobody relies on are not synced: sqlite-transactions.ts.
 */
export function openDatabase(file: string): DatabaseSync {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  makeOwnersOnly(file);
  const database = new DatabaseSync(file, { timeout: busyTimeoutMs, enableForeignKeyConstraints: true });
  try {
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
    // SQLite's own lower() knows ASCII only. Used by a migration, never at run time.
    database.function('vortex_lower_case', { deterministic: true }, (value) => String(value).toLowerCase());
    migrate(database, file);
  } catch (error) {
    database.close();
    throw error;
  }
  return database;
}

/** Hashes of keys and titles of documents: for its owner alone, and so are its `-wal` and `-shm`, which SQLite makes alike. */
function makeOwnersOnly(file: string): void {
  const handle = openSync(file, 'a', 0o600);
  try {
    if ((fstatSync(handle).mode & 0o077) !== 0) chmodSync(file, 0o600);
  } catch {
    // Another user's, or a file system without modes.
  } finally {
    closeSync(handle);
  }
}

/**
 * Several processes start at the same moment: the schema's number is read again under the write lock, so
 * one of them migrates and the others find it done. Without the first, lock-free look every start would
 * queue for the write lock.
 */
function migrate(database: DatabaseSync, file: string): void {
  const migrations = readMigrations();
  const newest = migrations.at(-1)?.number ?? 0;
  if (schemaNumber(database) === newest) return;
  inTransaction(database, () => {
    const present = schemaNumber(database);
    if (present > newest) {
      throw new Error(
        `${file} was written by a newer Vortex (schema ${present}, this one knows ${newest}). ` +
          'Start that version again, or give this one another data folder.',
      );
    }
    for (const migration of migrations) {
      if (migration.number > present) database.exec(migration.sql);
    }
    database.exec(`PRAGMA user_version = ${newest}`);
  });
}

interface Migration {
  number: number;
  sql: string;
}

function readMigrations(): Migration[] {
  return readdirSync(migrationsFolder)
    .filter((name) => /^\d{4}-.*\.sql$/.test(name))
    .sort()
    .map((name, index) => {
      const number = Number(name.slice(0, 4));
      if (number !== index + 1) throw new Error(`migration ${name} should have the number ${index + 1}`);
      return { number, sql: readFileSync(new URL(name, migrationsFolder), 'utf8') };
    });
}

function schemaNumber(database: DatabaseSync): number {
  return Number(database.prepare('PRAGMA user_version').get()?.user_version);
}
