import { connect } from 'node:net';
import type { Add } from './doctor.ts';
import { messageOf } from './problem.ts';
import type { Settings } from './settings.ts';

const databasePatienceMs = 2000;

/** Only whether something listens there: the registry itself says more when a service starts. */
export async function checkDatabase(add: Add, settings: Settings | null): Promise<void> {
  const url = settings?.gateway.registry.database_url ?? null;
  if (url === null) return;
  const { hostname, port } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, '') || '127.0.0.1';
  const place = `${host}:${port || '5432'}`;
  const socket = connect({ host, port: Number(port || '5432'), timeout: databasePatienceMs });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('timeout', () => reject(new Error(`no answer in ${databasePatienceMs} ms`)));
      socket.once('error', reject);
    });
    add('PostgreSQL', 'fine', `answers at ${place}`);
  } catch (error) {
    add(
      'PostgreSQL',
      'wrong',
      `nothing answers at ${place} (${messageOf(error)})`,
      'start it, or unset DATABASE_URL: the registry is then SQLite in the data folder',
    );
  } finally {
    socket.destroy();
  }
}
