import type pg from 'pg';
import { asked, isRolledBackToOrder, RegistryUnavailable } from './registry-unavailable.ts';
import { number } from './rows.ts';
import { shareAnswers } from './share-answers.ts';
import { type Row, type SqlSession, type Statement, type Steps, storable } from './sql/steps.ts';

interface Prepared {
  /** The server keeps the plan under it, per connection. */
  name: string;
  text: string;
  parameters: readonly string[];
}

type Connection = Pick<pg.Pool | pg.PoolClient, 'query'>;

const mostAttempts = 3;
/** As many as the migration made. */
const counterSlots = 32;

/**
 * Runs the registry's rules on a pool. READ COMMITTED: the rules lock what they decide by (document-rows.ts), and see,
 * once they have the lock, what the holder before them has committed.
 */
export function postgresSession(pool: pg.Pool, now: () => number): SqlSession {
  const prepared = new Map<string, Prepared>();

  function prepare(sql: string): Prepared {
    const known = prepared.get(sql);
    if (known !== undefined) return known;
    const made = { name: `vortex_${prepared.size + 1}`, ...translate(sql) };
    prepared.set(sql, made);
    return made;
  }

  async function answer(connection: Connection, { sql, values }: Statement): Promise<readonly Row[]> {
    const { name, text, parameters } = prepare(sql);
    const bound = parameters.map((parameter) => {
      const value = values[parameter];
      if (value === undefined) throw new Error(`no value for :${parameter} in ${sql}`);
      return storable(value);
    });
    return (await asked(connection.query<Record<string, unknown>>({ name, text, values: bound }))).rows;
  }

  async function follow<Result>(connection: Connection, steps: () => Steps<Result>): Promise<Result> {
    const running = steps();
    let step = running.next();
    while (step.done !== true) step = running.next(await answer(connection, step.value));
    return step.value;
  }

  async function attempt<Result>(steps: () => Steps<Result>, commit: string): Promise<Result> {
    const client = await asked(pool.connect());
    let isInDoubt = true;
    try {
      await asked(client.query('BEGIN'));
      const result = await follow(client, steps);
      await asked(client.query(commit));
      isInDoubt = false;
      return result;
    } catch (error) {
      // A connection in doubt is not used again; the server rolls back what it leaves.
      isInDoubt =
        error instanceof RegistryUnavailable ||
        (await client.query('ROLLBACK').then(
          () => false,
          () => true,
        ));
      throw error;
    } finally {
      client.release(isInDoubt);
    }
  }

  async function transaction<Result>(steps: () => Steps<Result>, commit: string): Promise<Result> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await attempt(steps, commit);
      } catch (error) {
        if (!isRolledBackToOrder(error) || tries === mostAttempts) throw error;
      }
    }
  }

  const changes = 'SELECT SUM(moves) AS moves FROM change_counter';
  return {
    now,
    read: (steps) => follow(pool, steps),
    // Last, and in one message with the commit: whoever meets us on the slot waits for no more than that.
    write(steps) {
      const slot = Math.floor(Math.random() * counterSlots);
      return transaction(steps, `UPDATE change_counter SET moves = moves + 1 WHERE slot = ${slot}; COMMIT`);
    },
    note: (steps) => transaction(steps, 'COMMIT'),
    // Its server gathers commits by itself, and nobody's event loop stands still for them.
    noteUnsynced: (steps) => transaction(steps, 'COMMIT'),
    changeCounter: shareAnswers(async () => {
      const [row] = await answer(pool, { sql: changes, values: {} });
      return number(row ?? {}, 'moves');
    }),
  };
}

function translate(sql: string): { text: string; parameters: string[] } {
  const parameters: string[] = [];
  const text = sql.replaceAll(
    /\bIN :(\w+)|:(\w+)/g,
    (_, list: string | undefined, name: string | undefined) => {
      const parameter = list ?? name ?? '';
      if (!parameters.includes(parameter)) parameters.push(parameter);
      const place = `$${parameters.indexOf(parameter) + 1}`;
      return list === undefined ? place : `= ANY(${place})`;
    },
  );
  return { text, parameters };
}
