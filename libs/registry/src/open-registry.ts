import { openPostgresRegistry } from './postgres-registry.ts';
import type { Registry } from './registry.ts';
import { openSqliteRegistry } from './sqlite-registry.ts';

export interface RegistryOptions {
  /** `postgres://…`; null: the embedded database. */
  databaseUrl: string | null;
  /** The embedded database's file; unused with a `databaseUrl`. */
  file: string;
  now?: () => number;
}

/** The registry of this installation; its schema is brought up to date. */
export async function openRegistry({ databaseUrl, file, now }: RegistryOptions): Promise<Registry> {
  const clock = now === undefined ? {} : { now };
  return databaseUrl === null
    ? openSqliteRegistry({ file, ...clock })
    : openPostgresRegistry({ url: databaseUrl, ...clock });
}
