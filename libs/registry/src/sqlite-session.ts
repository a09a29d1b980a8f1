import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { number } from './rows.ts';
import { type Row, type SqlSession, type Statement, type Steps, storable } from './sql/steps.ts';
import { createTransactions } from './sqlite-transactions.ts';

interface Prepared {
  statement: StatementSync;
  names: readonly string[];
}

/** A list of conditions gives a statement of its own; there are a few dozen. */
const mostPrepared = 500;

/** Runs the registry's rules on one connection: each without an await from its first statement to its last. */
export function sqliteSession(database: DatabaseSync, now: () => number): SqlSession & { flush(): void } {
  const prepared = new Map<string, Prepared>();
  const transactions = createTransactions(database);
  const dataVersion = database.prepare('PRAGMA data_version');
  let seenDataVersion = -1;
  let counter = 0;

  function prepare(sql: string): Prepared {
    const known = prepared.get(sql);
    if (known !== undefined) return known;
    if (prepared.size >= mostPrepared) prepared.clear();
    const made = { statement: database.prepare(translate(sql)), names: namesIn(sql) };
    prepared.set(sql, made);
    return made;
  }

  function answer({ sql, values }: Statement): readonly Row[] {
    const { statement, names } = prepare(sql);
    const bound: Record<string, string | number | null> = {};
    for (const name of names) {
      const value = values[name];
      if (value === undefined) throw new Error(`no value for :${name} in ${sql}`);
      const kept = storable(value);
      bound[name] = typeof kept === 'object' && kept !== null ? JSON.stringify(kept) : kept;
    }
    return statement.all(bound);
  }

  function follow<Result>(steps: () => Steps<Result>): Result {
    const running = steps();
    let step = running.next();
    while (step.done !== true) step = running.next(answer(step.value));
    return step.value;
  }

  const transaction = async <Result>(steps: () => Steps<Result>, unsynced: boolean): Promise<Result> => {
    const result = await transactions.run(() => follow(steps), { unsynced });
    counter += 1;
    return result;
  };

  return {
    now,
    read: async (steps) => follow(steps),
    write: (steps) => transaction(steps, false),
    // The counter moves here too: data_version would for every other process anyway.
    note: (steps) => transaction(steps, false),
    noteUnsynced: (steps) => transaction(steps, true),
    flush: () => transactions.flush(),
    // data_version moves when another connection has committed, and only then; own writes are counted above.
    async changeCounter() {
      const current = number(dataVersion.get() ?? {}, 'data_version');
      if (current !== seenDataVersion) {
        seenDataVersion = current;
        counter += 1;
      }
      return counter;
    },
  };
}

const lockClause = /\bFOR (?:UPDATE|SHARE)(?: OF \w+)?(?: SKIP LOCKED)?/g;

function translate(sql: string): string {
  return sql.replaceAll(/\bIN :(\w+)/g, 'IN (SELECT value FROM json_each(:$1))').replaceAll(lockClause, '');
}

function namesIn(sql: string): string[] {
  return [...new Set([...sql.matchAll(/:(\w+)/g)].map((match) => match[1] ?? ''))];
}
