import { randomFillSync } from 'node:crypto';

/**
 * W3C trace context. An incoming `traceparent` keeps its trace id and flags and gets a span id of ours as
 * parent for the pipeline; anything unreadable starts a new trace, as the specification asks.
 */
const traceparentForm = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const zeroTrace = '0'.repeat(32);
const zeroSpan = '0'.repeat(16);

export function childTraceparent(incoming: string | undefined): string {
  const parts = incoming === undefined ? null : traceparentForm.exec(incoming);
  if (parts !== null) {
    const [, version, traceId, parentId, flags, more] = parts;
    const readable =
      version !== 'ff' &&
      traceId !== zeroTrace &&
      parentId !== zeroSpan &&
      (version !== '00' || more === undefined);
    if (readable) return `00-${traceId}-${randomHex(8)}-${flags}`;
  }
  const fresh = randomHex(24);
  return `00-${fresh.slice(0, 32)}-${fresh.slice(32)}-00`;
}

/** Drawn many at a time: a call to the generator costs 2 µs however little it is asked for. */
const pool = Buffer.alloc(4096);
let used = pool.length;

function randomHex(bytes: number): string {
  if (used + bytes > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += bytes;
  return pool.toString('hex', used - bytes, used);
}
