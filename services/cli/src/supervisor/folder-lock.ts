import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/**
 * One supervisor per data folder. Node has no file lock of its own; SQLite's exclusive transaction is one
 * by the system's means: it ends with the process, however that ends, so there is no stale lock to judge.
 * Null when another process holds it.
 */
export function lockFolder(lockFile: string): { release(): void } | null {
  mkdirSync(dirname(lockFile), { recursive: true });
  const database = new DatabaseSync(lockFile);
  try {
    database.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if (error instanceof Error && /locked|busy/i.test(error.message)) return null;
    throw error;
  }
  return { release: () => database.close() };
}
