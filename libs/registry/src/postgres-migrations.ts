import { readdirSync, readFileSync } from 'node:fs';
import pg from 'pg';
import { asked } from './registry-unavailable.ts';

const migrationsFolder = new URL('../migrations/postgres/', import.meta.url);
/** Any number of ours: who holds this lock migrates, the other processes that start wait and find it done. */
const migrationLock = 0x766f7274;

/**
 * Brings the schema up to date, one transaction per file.
 * @throws RegistryUnavailable; Error when it was written by a newer Vortex.
 */
export async function migratePostgres(url: string): Promise<void> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: 5_000,
    application_name: 'vortex',
  });
  // It ends with an error of its own; the query under way says what happened.
  client.on('error', () => undefined);
  await asked(client.connect());
  try {
    await client.query('SELECT pg_advisory_lock($1)', [migrationLock]);
    await client.query('CREATE TABLE IF NOT EXISTS vortex_schema (number INTEGER NOT NULL PRIMARY KEY)');
    const { rows } = await client.query<{ present: number | null }>(
      'SELECT MAX(number) AS present FROM vortex_schema',
    );
    const present = rows[0]?.present ?? 0;
    const files = readdirSync(migrationsFolder)
      .filter((name) => /^\d{4}-.*\.sql$/.test(name))
      .sort();
    if (present > files.length) {
      throw new Error(
        `the registry's database was written by a newer Vortex (schema ${present}, this one knows ${files.length}). ` +
          'Start that version again, or give this one another database.',
      );
    }
    for (const [index, name] of files.entries()) {
      if (index + 1 <= present) continue;
      const sql = readFileSync(new URL(name, migrationsFolder), 'utf8');
      await client.query(`BEGIN;\n${sql};\nINSERT INTO vortex_schema VALUES (${index + 1}); COMMIT`);
    }
  } finally {
    // The lock goes with the connection.
    await client.end();
  }
}
