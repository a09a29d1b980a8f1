import { RegistryUnavailable } from './registry-unavailable.ts';

// SQLITE_BUSY, LOCKED, IOERR, FULL, CANTOPEN; https://www.sqlite.org/rescode.html
const passingSqliteCodes: ReadonlySet<number> = new Set([5, 6, 10, 13, 14]);

/**
 * The database is locked, full or away: the same call may succeed later. Anything else is a bug or a refusal.
 * The PostgreSQL adapter has told the two apart already; SQLite's errors come as node:sqlite threw them.
 */
export function isRegistryUnavailable(error: unknown): boolean {
  if (error instanceof RegistryUnavailable) return true;
  if (!(error instanceof Error)) return false;
  const { code, errcode } = error as Error & { code?: unknown; errcode?: unknown };
  // Extended result codes carry the primary one in their low byte.
  return code === 'ERR_SQLITE_ERROR' && typeof errcode === 'number' && passingSqliteCodes.has(errcode & 0xff);
}
