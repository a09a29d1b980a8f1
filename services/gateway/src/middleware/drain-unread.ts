import type { IncomingMessage } from 'node:http';

/** What a refused client may still send before its connection is cut. */
export const maxDrainedBytes = 64 * 1024 * 1024;

/**
 * Reads and drops what a client still sends after its answer was decided. Closing instead would make the
 * kernel reset the connection, and a client that writes all before it reads would lose the 413 it is owed.
 * Bounded in bytes here and in time by the server's request timeout.
 */
export function drainUnread(incoming: IncomingMessage | undefined, maxBytes = maxDrainedBytes): void {
  if (incoming === undefined || incoming.complete || incoming.destroyed) return;
  let bytes = 0;
  incoming.on('data', (piece: Buffer) => {
    bytes += piece.length;
    if (bytes > maxBytes) incoming.socket.destroy();
  });
  // The connection may end in the middle of the body; without a listener that would end the process.
  incoming.on('error', () => {});
  incoming.resume();
}
