import { DatabaseSync } from 'node:sqlite';
import { StoreUnavailable } from './errors.ts';

export interface OwnerLock {
  release(): void;
}

/**
 * Makes this process the only one that writes a LanceDB folder: two writers would undo each other's
 * compaction, and an in-memory copy would miss the other's rows. The lock is SQLite's lock on an empty
 * file, because the kernel drops it when its process dies, by kill -9 too, while a pid file would stay
 * behind and name a process that may be another's by then.
 * @throws StoreUnavailable when another process holds it (after waiting `waitMs` for one that is ending).
 */
export function takeOwnership(file: string, waitMs = 2000): OwnerLock {
  const database = new DatabaseSync(file, { timeout: waitMs });
  try {
    database.exec('BEGIN EXCLUSIVE');
  } catch (cause) {
    database.close();
    throw new StoreUnavailable(
      `another process owns the vector store (${file} is locked): stop it, give this one another data ` +
        'folder, or use Qdrant (QDRANT_URL) to run several retrievers',
      cause,
    );
  }
  let held = true;
  return {
    release() {
      if (!held) return;
      held = false;
      database.close();
    },
  };
}
