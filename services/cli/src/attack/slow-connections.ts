import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/**
 * Connections that are to keep a server busy with nothing (slowloris): a third sends a header's letters one by one, a
 * third a body's, a third asks for much on one connection and never reads.
 */
export interface SlowConnections {
  /** How many the gateway has not closed. */
  open(): number;
  /** All of them as they come, for the gateway's statuses: 408 where it has lost patience. */
  statuses(): Record<string, number>;
  close(): void;
}

const kinds = [
  { begin: 'GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ', more: 'x', reads: true },
  {
    begin:
      'POST /query HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{"query":"',
    more: 'a',
    reads: true,
  },
  { begin: 'GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'.repeat(50), more: null, reads: false },
] as const;

/** Resolves when all are connected and have sent their beginning. @throws when one cannot be opened. */
export async function openSlowConnections(
  gateway: { host: string; port: number },
  count: number,
  letterEveryMs = 1000,
): Promise<SlowConnections> {
  const sockets = new Set<Socket>();
  const statuses: Record<string, number> = {};
  const opening = Array.from({ length: count }, async (_, at) => {
    const kind = kinds[at % kinds.length] ?? kinds[0];
    const socket = connect(gateway.port, gateway.host);
    await once(socket, 'connect');
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => sockets.delete(socket));
    if (kind.reads) {
      socket.setEncoding('latin1').on('data', (text: string) => {
        const status = /^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 'other';
        statuses[status] = (statuses[status] ?? 0) + 1;
      });
    } else socket.pause();
    socket.write(kind.begin);
    if (kind.more !== null) {
      const letters = setInterval(() => socket.write(kind.more), letterEveryMs);
      socket.once('close', () => clearInterval(letters));
    }
  });
  await Promise.all(opening);
  return {
    open: () => sockets.size,
    statuses: () => ({ ...statuses }),
    close() {
      for (const socket of sockets) socket.destroy();
    },
  };
}
