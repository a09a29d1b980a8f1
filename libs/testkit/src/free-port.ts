import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below what Linux gives to connections that go out and to servers that ask for any port (32 768 and above). */
const lowest = 18_000;
const highest = 32_000;

/**
 * A port of the loopback interface that nobody listens on; for programs that cannot choose one themselves. Not one that
 * the system would give to the next who asks: between this answer and the program's start, and while a killed server
 * is away, it would be taken by somebody else's connection.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries += 1) {
    const port = lowest + Math.floor(Math.random() * (highest - lowest));
    if (await isFree(port)) return port;
  }
  throw new Error(`no free loopback port between ${lowest} and ${highest} was found in a hundred tries`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const refused = once(server, 'error').then(() => false);
  const listening = once(server, 'listening').then(() => true);
  // The one that does not come is never heard of.
  refused.catch(() => undefined);
  listening.catch(() => undefined);
  server.listen(port, '127.0.0.1');
  if (!(await Promise.race([listening, refused]))) return false;
  server.close();
  await once(server, 'close');
  return true;
}
