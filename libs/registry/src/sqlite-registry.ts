import type { Registry } from './registry.ts';
import { number } from './rows.ts';
import { collectionsOf } from './sqlite-collections.ts';
import { inTransaction, openDatabase } from './sqlite-database.ts';
import { documentsOf } from './sqlite-documents.ts';
import type { SqliteSession } from './sqlite-session.ts';
import { versionsOf } from './sqlite-versions.ts';

/**
 * The embedded adapter: one SQLite file, shared by the processes of a host.
 *
 * @param options.file `<data.dir>/registry.db`; created with its folder when missing.
 * @throws when the file was written by a newer Vortex, or another process holds its lock for over 5 s.
 */
export function openSqliteRegistry(options: { file: string; now?: () => number }): Registry {
  const database = openDatabase(options.file);
  const dataVersion = database.prepare('PRAGMA data_version');
  let seenDataVersion = -1;
  let counter = 0;

  const session: SqliteSession = {
    database,
    now: options.now ?? Date.now,
    write(work) {
      const result = inTransaction(database, work);
      counter += 1;
      return result;
    },
    // data_version moves when another connection has committed, and only then; own writes are counted above.
    changeCounter() {
      const current = number(dataVersion.get() ?? {}, 'data_version');
      if (current !== seenDataVersion) {
        seenDataVersion = current;
        counter += 1;
      }
      return counter;
    },
  };

  return {
    ...collectionsOf(session),
    ...documentsOf(session),
    ...versionsOf(session),
    changeCounter: async () => session.changeCounter(),
    async close() {
      if (database.isOpen) database.close();
    },
  };
}
