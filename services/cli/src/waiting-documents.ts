import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { checkSettings } from './settings.ts';

/**
 * Documents that wait in the registry for their tenant's turn: no list of Redis shows them. Null: the registry does not
 * answer. An installation that has no registry yet has none waiting.
 */
export async function countWaitingDocuments(data: string): Promise<number | null> {
  try {
    const { database_url: databaseUrl } = checkSettings([], process.env).settings.gateway.registry;
    const file = join(data, 'registry.db');
    if (databaseUrl === null && !existsSync(file)) return 0;
    const { openRegistry } = await import('@vortex/registry');
    const registry = await openRegistry({ databaseUrl, file });
    try {
      return await registry.countWaitingJobs();
    } finally {
      await registry.close();
    }
  } catch {
    return null;
  }
}
