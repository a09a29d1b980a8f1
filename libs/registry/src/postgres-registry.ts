import { migratePostgres } from './postgres-migrations.ts';
import { openPool } from './postgres-pool.ts';
import { postgresSession } from './postgres-session.ts';
import type { Registry } from './registry.ts';
import { registryOf } from './sql/registry-of.ts';

/**
 * The adapter for several hosts: a PostgreSQL database (12 or later), in the schema that its connections look into first.
 *
 * @param options.url `postgres://user:password@host/database`
 * @throws when it cannot be reached, or its schema was written by a newer Vortex.
 */
export async function openPostgresRegistry(options: { url: string; now?: () => number }): Promise<Registry> {
  const { url, now = Date.now } = options;
  await migratePostgres(url);
  const pool = openPool(url);
  let isOpen = true;
  return {
    ...registryOf(postgresSession(pool, now)),
    async close() {
      if (!isOpen) return;
      isOpen = false;
      await pool.end();
    },
  };
}
