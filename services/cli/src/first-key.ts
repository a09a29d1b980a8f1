import { join } from 'node:path';
import { mayListen } from '@vortex/config';
import { dataOption, launcherName } from './folders.ts';
import { CommandProblem } from './problem.ts';
import type { Settings } from './settings.ts';

/**
 * Before anything is started: who listens where others can reach it must have a key, or have said that it needs none.
 * The gateway asks the same when it starts; here it is said in time.
 * @throws CommandProblem
 */
export async function assertDoor(host: string, data: string, settings: Settings): Promise<void> {
  const { auth, registry: place } = settings.gateway;
  const { mode } = auth;
  if (mayListen({ mode, host, hasKeys: false })) return;
  if (mayListen({ mode, host, hasKeys: await hasKeys(data, place.database_url) })) return;
  const create = `${launcherName()} keys create --scopes query,ingest,admin${dataOption(data)}`;
  throw new CommandProblem(`Others can reach ${host}, and there is no key yet: everybody would be let in.`, {
    ways: [
      `Make a key first: ${create}`,
      'Or keep it to this machine: leave --host out',
      'Or say that everybody is meant: --set auth.mode=open',
    ],
  });
}

async function hasKeys(data: string, databaseUrl: string | null): Promise<boolean> {
  const { openRegistry } = await import('@vortex/registry');
  const registry = await openRegistry({ databaseUrl, file: join(data, 'registry.db') });
  try {
    return await registry.hasKeys();
  } finally {
    await registry.close();
  }
}

/** Whether a running gateway asks for a key, as whoever has none sees it. */
export async function isOpen(gatewayUrl: string): Promise<boolean> {
  const { createClient } = await import('@vortex/client');
  const client = createClient({ url: gatewayUrl });
  try {
    // No route of administrators: they may have a port of their own.
    await client.collections.list({ signal: AbortSignal.timeout(2000) });
    return true;
  } catch {
    return false;
  } finally {
    await client.close();
  }
}
