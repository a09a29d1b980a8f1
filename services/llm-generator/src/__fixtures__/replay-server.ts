import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

/**
 * A server on the loopback interface that says exactly what it is told, piece by piece: the way to test
 * a client against replies that no well-behaved server gives.
 */
export interface ReplayServer {
  url: string;
  /** Bodies of the requests that came, parsed. */
  requests: { path: string; headers: IncomingMessage['headers']; body: unknown }[];
  /** Connections ever opened, and requests whose client left before the reply was complete. */
  counts: { connections: number; left: number };
  close(): Promise<void>;
}

export type Replay = (response: ServerResponse, attempt: number) => Promise<void> | void;

export async function startReplay(replay: Replay): Promise<ReplayServer> {
  const requests: ReplayServer['requests'] = [];
  const counts = { connections: 0, left: 0 };
  const server = createServer(async (request, response) => {
    response.once('close', () => {
      if (!response.writableFinished) counts.left += 1;
    });
    let body = '';
    for await (const chunk of request) body += chunk;
    requests.push({ path: request.url ?? '', headers: request.headers, body: JSON.parse(body) });
    await replay(response, requests.length);
  });
  server.on('connection', () => {
    counts.connections += 1;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    counts,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** The chunks of a recorded reply: `<name>.chunks.txt` holds one per line, as a JSON string. */
export function recorded(name: string): string[] {
  const text = readFileSync(join(import.meta.dirname, `${name}.chunks.txt`), 'utf8');
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as string);
}

/** Writes each piece as a chunk of its own. */
export async function send(
  response: ServerResponse,
  contentType: string,
  pieces: Iterable<string | Uint8Array>,
) {
  response.writeHead(200, { 'content-type': contentType });
  for (const piece of pieces) {
    response.write(piece);
    await new Promise((resolve) => setImmediate(resolve));
  }
  response.end();
}
