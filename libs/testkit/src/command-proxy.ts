import { createServer, type Server, Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * A TCP proxy in front of Redis that reads the commands of one client process and ends its life at one of them:
 * - `before`: the command is not passed on. From then on nothing reaches Redis and nobody gets in: to Redis, and to
 *   everyone else, the process is dead.
 * - `after`: it is passed on and applied, its reply is not given; then as before.
 * - `cut`: as `after`, but only this connection breaks; the process lives and connects anew.
 * - `hold`: nothing is passed on any more over this connection, in either direction, and nobody hangs up.
 * `revive` lets a dead one in again, as if it had been frozen.
 */
export interface CommandProxy {
  url: string;
  /** How often each verb has been sent: a script by its name, another command in capitals. */
  counts(): ReadonlyMap<string, number>;
  /** What happens at the `number`th `verb` from now on. */
  strikeAt(verb: string, number: number, how: Strike): void;
  hasStruck(): boolean;
  revive(): void;
  close(): Promise<void>;
}

export type Strike = 'before' | 'after' | 'cut' | 'hold';

const mark = 'vortex-command-proxy';

export async function openCommandProxy(
  /** Of the real Redis, with its database. */
  redisUrl: string,
  /** Names of scripts by their hashes. */
  scripts: ReadonlyMap<string, string>,
): Promise<CommandProxy> {
  const target = new URL(redisUrl);
  const counts = new Map<string, number>();
  const pairs = new Set<[Socket, Socket]>();
  let strike: { verb: string; number: number; how: Strike } | undefined;
  let lastHow: Strike = 'before';
  let struck = false;
  let isDead = false;

  function die(): void {
    isDead = true;
    for (const pair of pairs) for (const socket of pair) socket.destroy();
  }

  const server: Server = createServer((client) => {
    if (isDead) {
      client.destroy();
      return;
    }
    const upstream = new Socket();
    upstream.connect(Number(target.port), target.hostname);
    const pair: [Socket, Socket] = [client, upstream];
    pairs.add(pair);
    let pending: Buffer = Buffer.alloc(0);
    let isEnding = false;

    client.on('data', (chunk: Buffer) => {
      if (isEnding) return;
      pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
      let passed = 0;
      for (let frame = readFrame(pending, passed); frame !== null; frame = readFrame(pending, passed)) {
        if (!pass(pending.subarray(passed, frame.end), frame.parts)) return;
        passed = frame.end;
      }
      pending = pending.subarray(passed);
    });

    /** False when this was the connection's last command. */
    function pass(bytes: Buffer, parts: string[]): boolean {
      const verb = verbOf(parts, scripts);
      const number = (counts.get(verb) ?? 0) + 1;
      counts.set(verb, number);
      if (strike === undefined || verb !== strike.verb || number !== strike.number) {
        upstream.write(bytes);
        return true;
      }
      const { how } = strike;
      strike = undefined;
      isEnding = true;
      if (how === 'hold') {
        struck = true;
        return false;
      }
      if (how === 'before') {
        struck = true;
        die();
        return false;
      }
      // Answered in order: when the mark comes back, the command has been applied.
      upstream.write(bytes);
      upstream.write(`*2\r\n$4\r\nECHO\r\n$${mark.length}\r\n${mark}\r\n`);
      return false;
    }

    upstream.on('data', (chunk: Buffer) => {
      if (!isEnding) client.write(chunk);
      else if (chunk.includes(mark)) {
        struck = true;
        if (lastHow === 'after') die();
        else for (const socket of pair) socket.destroy();
      }
    });
    for (const [socket, other] of [pair, [upstream, client] as const]) {
      socket.on('error', () => undefined);
      socket.on('close', () => {
        other.destroy();
        pairs.delete(pair);
      });
    }
  });

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port (proxy-1)');

  return {
    url: `redis://127.0.0.1:${address.port}${target.pathname}`,
    counts: () => counts,
    strikeAt(verb, number, how) {
      strike = { verb, number: (counts.get(verb) ?? 0) + number, how };
      lastHow = how;
    },
    hasStruck: () => struck,
    revive() {
      isDead = false;
    },
    async close() {
      die();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      await delay(0);
    },
  };
}

/** EVALSHA and EVAL go by their script's name, CLIENT and SCRIPT with what they do. */
function verbOf([command = '', first = '']: readonly string[], scripts: ReadonlyMap<string, string>): string {
  const name = command.toUpperCase();
  if (name === 'EVALSHA') return scripts.get(first) ?? name;
  return name === 'CLIENT' || name === 'SCRIPT' ? `${name} ${first.toUpperCase()}` : name;
}

/** A command as clients send it (an array of bulk strings): where it ends, and its first two parts. */
function readFrame(bytes: Buffer, from: number): { end: number; parts: string[] } | null {
  const head = readLine(bytes, from, '*');
  if (head === null) return null;
  const parts: string[] = [];
  let { end } = head;
  for (let part = 0; part < head.number; part += 1) {
    const size = readLine(bytes, end, '$');
    if (size === null || size.end + size.number + 2 > bytes.length) return null;
    if (part < 2) parts.push(bytes.toString('latin1', size.end, size.end + Math.min(size.number, 64)));
    end = size.end + size.number + 2;
  }
  return { end, parts };
}

function readLine(bytes: Buffer, from: number, kind: string): { number: number; end: number } | null {
  if (from >= bytes.length) return null;
  if (String.fromCharCode(bytes[from] ?? 0) !== kind) throw new Error('not a Redis command (proxy-2)');
  const end = bytes.indexOf('\r\n', from);
  return end < 0 ? null : { number: Number(bytes.toString('latin1', from + 1, end)), end: end + 2 };
}
