import { connect, type Socket } from 'node:net';

/**
 * The load generator of `vortex bench ingest-accept`, for machines without wrk: a process of its own, raw
 * keep-alive sockets with one request each in flight, requests made beforehand. It reads of an answer what it
 * must (status and length), so that it costs a fraction of any server it drives.
 */
export interface LoadOrder {
  port: number;
  connections: number;
  seconds: number;
  /** Absent: none is asked for. */
  key?: string | undefined;
  /** JSON bodies; each connection walks through them. */
  bodies: string[];
}

export interface LoadResult {
  accepted: number;
  /** Answers that were no 202, by status; `broken` are connections that ended. */
  others: Record<string, number>;
  elapsedMs: number;
  p50Ms: number;
  p99Ms: number;
}

process.on('message', (order: LoadOrder) => {
  void drive(order).then((result) => process.send?.(result));
});
process.on('disconnect', () => process.exit(0));
process.send?.('ready');

async function drive({ port, connections, seconds, bodies, key }: LoadOrder): Promise<LoadResult> {
  const authorization = key === undefined ? '' : `Authorization: Bearer ${key}\r\n`;
  const requests = bodies.map((body) =>
    Buffer.from(
      `POST /ingest HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Type: application/json\r\n` +
        `${authorization}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    ),
  );
  const latencies: number[] = [];
  const others: Record<string, number> = {};
  const startedAt = performance.now();
  const until = startedAt + seconds * 1000;
  await Promise.all(
    Array.from({ length: connections }, (_, number) =>
      converse(connect(port, '127.0.0.1'), requests, number, until, (status, ms) => {
        if (status === '202') latencies.push(ms);
        else others[status] = (others[status] ?? 0) + 1;
      }),
    ),
  );
  const elapsedMs = performance.now() - startedAt;
  latencies.sort((left, right) => left - right);
  const at = (share: number) =>
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))];
  return {
    accepted: latencies.length,
    others,
    elapsedMs,
    p50Ms: at(0.5) ?? Number.NaN,
    p99Ms: at(0.99) ?? Number.NaN,
  };
}

/** One connection: asks, waits for the whole answer, asks again until the time is over. */
function converse(
  socket: Socket,
  requests: Buffer[],
  first: number,
  until: number,
  answered: (status: string, ms: number) => void,
): Promise<void> {
  socket.setNoDelay(true);
  return new Promise((resolve) => {
    let place = first;
    let askedAt = 0;
    let text = '';
    let over = false;
    const ask = () => {
      askedAt = performance.now();
      socket.write(requests[place % requests.length] ?? Buffer.alloc(0));
      place += 1;
    };
    const finish = (status?: string) => {
      if (over) return;
      over = true;
      if (status !== undefined) answered(status, 0);
      socket.destroy();
      resolve();
    };
    socket.on('connect', ask);
    socket.on('error', () => finish('broken'));
    socket.on('close', () => finish('broken'));
    socket.on('data', (piece) => {
      text += piece.toString('latin1');
      const head = text.indexOf('\r\n\r\n');
      if (head === -1) return;
      const length = /\r\ncontent-length: *(\d+)/i.exec(text.slice(0, head + 2))?.[1];
      if (length === undefined) return finish('unreadable');
      if (text.length < head + 4 + Number(length)) return;
      const now = performance.now();
      answered(text.slice(9, 12), now - askedAt);
      text = '';
      if (now >= until) finish();
      else ask();
    });
  });
}
