import pg from 'pg';

/** Longer than any statement of ours takes, shorter than a worker's lease (10 s). */
const statementTimeoutMs = 5_000;
/** Also the wait for a free connection of ours. */
const connectTimeoutMs = 5_000;
const mostConnections = 10;

/** Whole numbers of 64 bits (counts, epoch milliseconds) and sums of them are far below 2^53 here: as numbers. */
const wideNumbers: ReadonlySet<number> = new Set([pg.types.builtins.INT8, pg.types.builtins.NUMERIC]);

/**
 * Connections to the registry's database. One that breaks is thrown away and the next query opens another; a server
 * that stopped answering is noticed by `query_timeout`, one that holds a lock too long by `statement_timeout`.
 */
export function openPool(url: string): pg.Pool {
  const pool = new pg.Pool({
    connectionString: url,
    max: mostConnections,
    connectionTimeoutMillis: connectTimeoutMs,
    idleTimeoutMillis: 30_000,
    statement_timeout: statementTimeoutMs,
    query_timeout: statementTimeoutMs + 2_000,
    idle_in_transaction_session_timeout: 10_000,
    keepAlive: true,
    application_name: 'vortex',
    types: {
      getTypeParser: ((oid: number, format?: 'text') =>
        wideNumbers.has(oid) ? Number : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser,
    },
  });
  // A connection that breaks while nobody uses it: the pool drops it, and the next query says what is wrong.
  pool.on('error', () => undefined);
  // And one that breaks in a transaction: the statement under way fails, or the next one. Without a listener Node would end
  // the process.
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
}
