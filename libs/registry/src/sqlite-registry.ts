import type { Registry } from './registry.ts';
import { registryOf } from './sql/registry-of.ts';
import { openDatabase } from './sqlite-database.ts';
import { sqliteSession } from './sqlite-session.ts';

/**
 * The embedded adapter: one SQLite file, shared by the processes of a host.
 *
 * @param options.file `<data.dir>/registry.db`; created with its folder when missing.
 * @throws when the file was written by a newer Vortex, or another process holds its lock for over 5 s.
 */
export function openSqliteRegistry(options: { file: string; now?: () => number }): Registry {
  const database = openDatabase(options.file);
  const session = sqliteSession(database, options.now ?? Date.now);
  return {
    ...registryOf(session),
    async close() {
      if (!database.isOpen) return;
      session.flush();
      database.close();
    },
  };
}
