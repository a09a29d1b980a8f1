import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach } from 'vitest';
import { createClient, type VortexClient } from '../src/client.ts';

/** A server on loopback that answers as it is told, and a client that speaks to it; both end with the test. */
export interface LocalGateway {
  client: VortexClient;
  url: string;
  /** Ends every connection, as a gateway that dies. */
  hangUp(): void;
  /** Accepts no more connections, and ends those there are. */
  stop(): Promise<void>;
}

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

export async function localGateway(
  answer: (request: IncomingMessage, response: ServerResponse) => void | Promise<void>,
): Promise<LocalGateway> {
  const server = createServer(async (request, response) => {
    try {
      await answer(request, response);
    } catch (error) {
      response.writeHead(500).end(String(error));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = createClient({ url: `${url}/` });
  const stop = async () => {
    server.closeAllConnections();
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  };
  ends.push(async () => {
    const closed = client.close();
    await stop();
    await closed;
  });
  return { client, url, hangUp: () => server.closeAllConnections(), stop };
}

export function json(response: ServerResponse, status: number, body: unknown, headers = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}
