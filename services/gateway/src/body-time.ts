import type { IncomingMessage } from 'node:http';

/**
 * How long a body may take to arrive. Node's own request timeout is one number for all routes, and a file of
 * 200 MB over a modest line takes longer than a question ever may; so the clock is kept here, per request, and
 * a route that takes files winds it up again for every quarter of a megabyte that came.
 */
const clocks = new WeakMap<IncomingMessage, NodeJS.Timeout>();

/** A sender that brings this much within the request timeout may go on: 2 kB/s at the default of 120 s. */
export const earnsTimeBytes = 256 * 1024;

export function startBodyClock(incoming: IncomingMessage, timeoutMs: number, onLate: () => void): void {
  const { 'content-length': length, 'transfer-encoding': encoding } = incoming.headers;
  if (encoding === undefined && !(Number(length) > 0)) return;
  // A small body comes in the packet of its head, and is here when this turn ends: winding up and stopping a clock
  // for each was 3 of the 75 µs that accepting a document took.
  setImmediate(() => {
    if (incoming.complete || incoming.destroyed) return;
    const clock = setTimeout(onLate, timeoutMs);
    const stop = () => clearTimeout(clock);
    incoming.once('end', stop);
    incoming.once('close', stop);
    clocks.set(incoming, clock);
  });
}

export function rewindBodyClock(incoming: IncomingMessage): void {
  // A clock that has run down or was stopped stays so.
  if (!incoming.destroyed && !incoming.complete) clocks.get(incoming)?.refresh();
}
