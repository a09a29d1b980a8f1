// SQLITE_BUSY, LOCKED, IOERR, FULL, CANTOPEN; https://www.sqlite.org/rescode.html
const passingSqliteCodes: ReadonlySet<number> = new Set([5, 6, 10, 13, 14]);
// Connection lost, resources short, server going down, transaction to be tried again; PostgreSQL's manual, appendix A.
const passingPostgresClasses = /^(?:08|53|57P|40)/;
const networkCodes: ReadonlySet<unknown> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EPIPE',
]);
const lostConnection = /^(?:Connection terminated|timeout exceeded when trying to connect)/;

/** The database is locked, full or away: the same call may succeed later. Anything else is a bug or a refusal. */
export function isRegistryUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code, errcode } = error as Error & { code?: unknown; errcode?: unknown };
  // Extended result codes carry the primary one in their low byte.
  if (code === 'ERR_SQLITE_ERROR')
    return typeof errcode === 'number' && passingSqliteCodes.has(errcode & 0xff);
  if (networkCodes.has(code)) return true;
  if (error.name === 'DatabaseError' || 'severity' in error) {
    return typeof code === 'string' && passingPostgresClasses.test(code);
  }
  return lostConnection.test(error.message);
}
