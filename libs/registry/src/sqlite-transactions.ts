import type { DatabaseSync } from 'node:sqlite';

/**
 * Transactions of one connection that are asked for in the same turn of the event loop are committed as one: a
 * commit that is synced costs 0.2 ms on a quiet disk and blocks this process, and with 32 documents under way they come
 * in swarms. Each stands behind a savepoint of its own, so what throws is undone alone; a commit that fails
 * fails them all. Nobody is answered before the commit.
 *
 * `unsynced`: a power cut (no crash of ours) may take it back, with everything after it that is unsynced too. The next
 * synced commit carries it along, for the log is one file. For what nobody was promised: progress, what was
 * parsed, which groups are stored. Then the same is done once more.
 */
export interface Transactions {
  run<Result>(work: () => Result, options?: { unsynced?: boolean }): Promise<Result>;
  /** Commits now what was asked for. */
  flush(): void;
}

interface Asked {
  unsynced: boolean;
  /** Does the work; afterwards `answer` tells the caller. @throws what the work throws. */
  work(): void;
  answer(): void;
  reject(error: unknown): void;
}

export function createTransactions(database: DatabaseSync): Transactions {
  let waiting: Asked[] = [];
  let isSynced = true;

  function flush(): void {
    const together = waiting;
    waiting = [];
    if (together.length === 0) return;
    let done: Asked[];
    try {
      syncCommits(together.some(({ unsynced }) => !unsynced));
      done = inTransaction(database, () => together.filter((one) => attempt(one, together.length > 1)));
    } catch (error) {
      // Those that failed alone have been told already; a second word does nothing.
      for (const { reject } of together) reject(error);
      return;
    }
    for (const { answer } of done) answer();
  }

  function syncCommits(synced: boolean): void {
    if (isSynced === synced) return;
    database.exec(`PRAGMA synchronous = ${synced ? 'FULL' : 'NORMAL'}`);
    isSynced = synced;
  }

  /** Whether it is part of the transaction. @throws when the database has given the whole transaction up. */
  function attempt(one: Asked, besideOthers: boolean): boolean {
    if (!besideOthers) {
      one.work();
      return true;
    }
    database.exec('SAVEPOINT one');
    try {
      one.work();
    } catch (error) {
      if (!database.isTransaction) throw error;
      database.exec('ROLLBACK TO one; RELEASE one');
      one.reject(error);
      return false;
    }
    database.exec('RELEASE one');
    return true;
  }

  return {
    run(work, { unsynced = false } = {}) {
      return new Promise((resolve, reject) => {
        let answer = () => {};
        // After all that runs on promises now, and before the loop turns: whoever is alone is not held up.
        if (waiting.length === 0) process.nextTick(flush);
        waiting.push({
          unsynced,
          work() {
            const result = work();
            answer = () => resolve(result);
          },
          answer: () => answer(),
          reject,
        });
      });
    },
    flush,
  };
}

/**
 * BEGIN IMMEDIATE: a transaction that reads first and writes later would otherwise fail at once with
 * SQLITE_BUSY when another process has written in between, whatever the busy timeout says.
 */
export function inTransaction<Result>(database: DatabaseSync, work: () => Result): Result {
  database.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    database.exec('COMMIT');
    return result;
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}
