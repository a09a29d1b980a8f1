import { createServer, type Server, Socket } from 'node:net';

/**
 * A TCP proxy between services and Redis that does what networks do on bad days.
 *
 * Faults that belong to a connection: cut (a reset on both sides), swallow (what was asked is passed on, the
 * reply proves that it was applied, and instead of the reply comes a reset), half-open (nothing passes any
 * more in either direction and nobody is told; Redis goes on serving who is not there). Faults of the whole
 * wire: a delay per direction, a trickle towards the client, refused connections.
 *
 * Life of a connection: open → half-open → closed, or open → closed. What was chosen for it (a swallow) waits
 * for its next reply. Everything that passes in one direction passes in order, whatever the delay.
 */
export interface FaultProxy {
  readonly port: number;
  readonly url: string;
  /** Open connections, oldest first. */
  connections(): ProxiedConnection[];
  /** So often each fault has really struck; a swallow counts when the reply was thrown away. */
  counts(): FaultCounts;
  /** Each chunk waits this long in each direction. */
  setDelay(ms: number): void;
  /** Bytes per second towards each client; null lifts it. */
  setTrickle(bytesPerSecond: number | null): void;
  /** New connections are reset at once. */
  setRefusing(refusing: boolean): void;
  /** Where connections go from now on; those that are open stay where they are. */
  pointAt(port: number): void;
  /** No delay, no trickle, no refusals, no armed swallow; connections that went half-open are cut. */
  heal(): void;
  close(): Promise<void>;
}

export interface ProxiedConnection {
  /** What its client called itself (`CLIENT SETNAME vortex-<role>`); null when it has not yet. */
  role(): string | null;
  isHalfOpen(): boolean;
  cut(): void;
  /** Its next reply is thrown away and the connection reset. */
  swallowNextReply(): void;
  goHalfOpen(): void;
}

export interface FaultCounts {
  opened: number;
  cut: number;
  swallowed: number;
  half_open: number;
  refused: number;
  delayed_chunks: number;
  trickled_bytes: number;
}

interface Wire {
  delayMs: number;
  bytesPerSecond: number | null;
  counts: FaultCounts;
}

interface Connection extends ProxiedConnection {
  disarm(): void;
}

const trickleTickMs = 250;

export async function openFaultProxy(targetPort: number): Promise<FaultProxy> {
  let target = targetPort;
  let refusing = false;
  const connections = new Set<Connection>();
  const counts: FaultCounts = {
    opened: 0,
    cut: 0,
    swallowed: 0,
    half_open: 0,
    refused: 0,
    delayed_chunks: 0,
    trickled_bytes: 0,
  };
  const wire: Wire = { delayMs: 0, bytesPerSecond: null, counts };

  const server = createServer({ noDelay: true }, (client) => {
    client.on('error', () => undefined);
    if (refusing) {
      counts.refused += 1;
      client.resetAndDestroy();
      return;
    }
    counts.opened += 1;
    const connection = join(client, target, wire, () => connections.delete(connection));
    connections.add(connection);
  });
  const port = await listen(server);

  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    connections: () => [...connections],
    counts: () => ({ ...counts }),
    setDelay(ms) {
      wire.delayMs = ms;
    },
    setTrickle(bytesPerSecond) {
      wire.bytesPerSecond = bytesPerSecond;
    },
    setRefusing(value) {
      refusing = value;
    },
    pointAt(newPort) {
      target = newPort;
    },
    heal() {
      wire.delayMs = 0;
      wire.bytesPerSecond = null;
      refusing = false;
      for (const connection of connections) {
        connection.disarm();
        if (connection.isHalfOpen()) connection.cut();
      }
    },
    async close() {
      for (const connection of connections) connection.cut();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function join(client: Socket, port: number, wire: Wire, onClosed: () => void): Connection {
  const upstream = new Socket().setNoDelay(true);
  upstream.on('error', () => undefined);
  upstream.connect(port, '127.0.0.1');
  const up = openPipe(upstream, wire, () => null);
  const down = openPipe(client, wire, () => wire.bytesPerSecond);
  let role: string | null = null;
  let halfOpen = false;
  let armed = false;
  let asked = false;
  let closed = false;

  function end(how: 'reset' | 'quiet'): void {
    if (closed) return;
    closed = true;
    up.stop();
    down.stop();
    if (how === 'reset') {
      // A reset needs a connection; one that is still being made is just dropped.
      if (upstream.connecting) upstream.destroy();
      else upstream.resetAndDestroy();
      client.resetAndDestroy();
    } else {
      upstream.destroy();
      client.destroy();
    }
    onClosed();
  }

  client.on('data', (chunk) => {
    role ??= /vortex-([a-z-]+)/.exec(chunk.toString('latin1'))?.[1] ?? null;
    if (halfOpen) return;
    asked = true;
    up.push(chunk);
  });
  upstream.on('data', (chunk) => {
    if (halfOpen) return;
    if (armed && asked) {
      wire.counts.swallowed += 1;
      end('reset');
      return;
    }
    down.push(chunk);
  });
  // A half-open connection outlives the end of either side: that is what makes it one.
  client.on('close', () => end('quiet'));
  upstream.on('close', () => {
    if (!halfOpen) end('quiet');
  });

  return {
    role: () => role,
    isHalfOpen: () => halfOpen,
    cut() {
      if (!closed) wire.counts.cut += 1;
      end('reset');
    },
    swallowNextReply() {
      armed = true;
      asked = false;
    },
    disarm() {
      armed = false;
    },
    goHalfOpen() {
      if (closed || halfOpen) return;
      halfOpen = true;
      wire.counts.half_open += 1;
    },
  };
}

/** One direction: chunks leave in the order they came, each after its delay and no faster than allowed. */
function openPipe(
  to: Socket,
  wire: Wire,
  rate: () => number | null,
): { push(chunk: Buffer): void; stop(): void } {
  const waiting: { dueAt: number; bytes: Buffer }[] = [];
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  function send(): void {
    timer = undefined;
    while (!stopped) {
      const head = waiting[0];
      if (head === undefined) return;
      const early = head.dueAt - performance.now();
      if (early > 0.5) {
        timer = setTimeout(send, early);
        return;
      }
      const bytesPerSecond = rate();
      if (bytesPerSecond === null) {
        waiting.shift();
        to.write(head.bytes);
        continue;
      }
      const share = Math.max(1, Math.round((bytesPerSecond * trickleTickMs) / 1000));
      to.write(head.bytes.subarray(0, share));
      wire.counts.trickled_bytes += Math.min(share, head.bytes.length);
      head.bytes = head.bytes.subarray(share);
      if (head.bytes.length === 0) waiting.shift();
      timer = setTimeout(send, trickleTickMs);
      return;
    }
  }

  return {
    push(chunk) {
      if (wire.delayMs === 0 && rate() === null && waiting.length === 0) {
        to.write(chunk);
        return;
      }
      if (wire.delayMs > 0) wire.counts.delayed_chunks += 1;
      waiting.push({ dueAt: performance.now() + wire.delayMs, bytes: chunk });
      if (timer === undefined) send();
    },
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      if (address === null || typeof address === 'string') reject(new Error('the proxy has no port'));
      else resolve(address.port);
    });
  });
}
