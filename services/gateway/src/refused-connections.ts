import type { Socket } from 'node:net';

/**
 * Connections whose bytes stopped being HTTP and that were answered by `server.ts` on the bare socket. A
 * request of such a connection that was already being read must not go on to a queue.
 */
const refused = new WeakSet<Socket>();

export function markRefused(socket: Socket): void {
  refused.add(socket);
}

export function isRefused(socket: Socket | null): boolean {
  return socket === null || socket.destroyed || refused.has(socket);
}
