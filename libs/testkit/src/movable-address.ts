import { createServer, Socket } from 'node:net';

/**
 * An address that is moved from one server to another, as a name or a virtual IP is after a failover: who connects
 * from now on comes to the new server; who is connected stays where it is until somebody hangs up.
 */
export interface MovableAddress {
  url: string;
  moveTo(port: number): void;
  close(): Promise<void>;
}

export async function openMovableAddress(port: number): Promise<MovableAddress> {
  let target = port;
  const open = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = new Socket().connect(target, '127.0.0.1');
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      open.add(socket);
      socket.pipe(other);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        other.destroy();
        open.delete(socket);
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the address has no port (address-1)');
  return {
    url: `redis://127.0.0.1:${address.port}`,
    moveTo(port) {
      target = port;
    },
    async close() {
      for (const socket of open) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
