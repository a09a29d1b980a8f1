import { DatabaseSync } from 'node:sqlite';
import { beforeEach, describe, expect, it } from 'vitest';
import { createTransactions } from '../src/sqlite-transactions.ts';

let database: DatabaseSync;
let commits: number;

beforeEach(() => {
  database = new DatabaseSync(':memory:');
  database.exec('CREATE TABLE notes (name TEXT PRIMARY KEY)');
  commits = 0;
  const exec = database.exec.bind(database);
  database.exec = (sql) => {
    if (sql === 'COMMIT') commits += 1;
    exec(sql);
  };
});

const names = () =>
  database
    .prepare('SELECT name FROM notes ORDER BY name')
    .all()
    .map(({ name }) => name);
const put = (name: string) => () => {
  database.prepare('INSERT INTO notes VALUES (?)').run(name);
  return name;
};

describe('transactions of one turn', () => {
  it('are one commit, and each is answered with its own result', async () => {
    const { run } = createTransactions(database);
    expect(await Promise.all([run(put('a')), run(put('b'), { unsynced: true }), run(put('c'))])).toEqual([
      'a',
      'b',
      'c',
    ]);
    expect(commits).toBe(1);
    expect(names()).toEqual(['a', 'b', 'c']);
  });

  it('what throws is undone alone', async () => {
    const { run } = createTransactions(database);
    const failing = run(() => {
      put('half')();
      throw new Error('no');
    });
    const [first, second, third] = await Promise.allSettled([run(put('a')), failing, run(put('b'))]);
    expect([first.status, second.status, third.status]).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(names()).toEqual(['a', 'b']);
  });

  it('a commit that fails fails all of them, and the next is a new one', async () => {
    database.exec(
      `CREATE TABLE parents (id INTEGER PRIMARY KEY);
       CREATE TABLE children (parent INTEGER REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED)`,
    );
    const { run } = createTransactions(database);
    const orphan = run(() => database.prepare('INSERT INTO children VALUES (1)').run());
    const both = await Promise.allSettled([run(put('a')), orphan]);
    expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(names()).toEqual([]);
    await run(put('b'));
    expect(names()).toEqual(['b']);
  });

  it('a commit is synced when one of its transactions must be', async () => {
    const { run } = createTransactions(database);
    const level = () => database.prepare('PRAGMA synchronous').get()?.synchronous;
    await run(put('a'), { unsynced: true });
    expect(level()).toBe(1);
    await Promise.all([run(put('b'), { unsynced: true }), run(put('c'))]);
    expect(level()).toBe(2);
  });
});
