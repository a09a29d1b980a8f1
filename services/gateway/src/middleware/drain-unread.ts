import type { IncomingMessage, ServerResponse } from 'node:http';

/** What a refused client may still send before its connection is cut. */
export const maxDrainedBytes = 64 * 1024 * 1024;
/** A client that has sent nothing for so long is waiting for the answer, whatever length it has declared. */
const quietMs = 500;

/**
 * Reads and drops what a client still sends after its answer was decided. Closing instead would make the
 * kernel reset the connection, and a client that writes all before it reads would lose the 413 it is owed.
 * On a kept-alive connection the answer goes out at once and the rest is read behind it. One that ends with
 * the answer (`Connection: close`, as Python's urllib sends) would be closed by Node right after it, so there
 * the returned promise holds the answer back until the body is read or the client falls silent.
 * Bounded in bytes here and in time by the server's request timeout.
 */
export async function drainUnread(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  if (incoming.complete || incoming.destroyed) return;
  const read = Promise.withResolvers<void>();
  let bytes = 0;
  const quiet = setTimeout(read.resolve, quietMs);
  incoming.on('data', (piece: Buffer) => {
    bytes += piece.length;
    quiet.refresh();
    if (bytes > maxDrainedBytes) incoming.socket.destroy();
  });
  // The connection may end in the middle of the body; without a listener an error would end the process.
  incoming.on('error', () => read.resolve());
  incoming.on('close', () => read.resolve());
  incoming.on('end', () => read.resolve());
  incoming.resume();
  const settled = read.promise.finally(() => clearTimeout(quiet));
  if (!outgoing.shouldKeepAlive) await settled;
}
