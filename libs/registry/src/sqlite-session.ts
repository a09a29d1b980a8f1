import type { DatabaseSync } from 'node:sqlite';

/** What the parts of the adapter share. */
export interface SqliteSession {
  database: DatabaseSync;
  now(): number;
  /** Runs `work` in one write transaction and moves the change counter. */
  write<Result>(work: () => Result): Result;
  changeCounter(): number;
}
