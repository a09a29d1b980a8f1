import { connect as connectPlain, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

/** A reply of RESP2. Errors (LOADING, NOAUTH …) reject. */
export type RedisReply = string | number | null | RedisReply[];

/**
 * A few commands on one short connection, in order, for the launcher's own questions: does it answer,
 * which version, which eviction policy. Jobs are spoken of in libs/queue only; its client would cost the
 * supervisor 20 MB of resident memory for a PING.
 * @throws Error when Redis is away, refuses, or has not answered within `timeoutMs`
 */
export function askRedis(
  url: string,
  commands: readonly (readonly string[])[],
  timeoutMs = 2000,
): Promise<RedisReply[]> {
  const address = new URL(url);
  const port = Number(address.port || '6379');
  const host = address.hostname.replace(/^\[|\]$/g, '') || '127.0.0.1';
  const password = decodeURIComponent(address.password);
  const user = decodeURIComponent(address.username);
  const login = password === '' ? [] : [['AUTH', ...(user === '' ? [] : [user]), password]];
  const all = [...login, ...commands];

  return new Promise((resolve, reject) => {
    const socket: Socket =
      address.protocol === 'rediss:'
        ? connectTls({ host, port, servername: host })
        : connectPlain({ host, port });
    let received: Buffer = Buffer.alloc(0);
    const replies: RedisReply[] = [];
    const end = (error?: Error) => {
      clearTimeout(timer);
      socket.destroy();
      if (error) reject(error);
      else resolve(replies.slice(login.length));
    };
    const timer = setTimeout(
      () => end(new Error(`no answer from ${host}:${port} in ${timeoutMs} ms`)),
      timeoutMs,
    );
    socket.once('error', end);
    socket.once('close', () => end(new Error(`${host}:${port} closed the connection`)));
    socket.on('data', (piece) => {
      received = Buffer.concat([received, piece]);
      try {
        while (replies.length < all.length) {
          const parsed = parseReply(received, 0);
          if (parsed === null) return;
          replies.push(parsed.value);
          received = received.subarray(parsed.end);
        }
        end();
      } catch (error) {
        end(error instanceof Error ? error : new Error(String(error)));
      }
    });
    socket.write(all.map(encodeCommand).join(''));
  });
}

export async function redisAnswers(url: string): Promise<boolean> {
  try {
    const [reply] = await askRedis(url, [['PING']], 1000);
    return reply === 'PONG';
  } catch {
    return false;
  }
}

function encodeCommand(words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`;
}

/** Null: more bytes are needed. */
export function parseReply(bytes: Buffer, start: number): { value: RedisReply; end: number } | null {
  const lineEnd = bytes.indexOf('\r\n', start);
  if (lineEnd === -1) return null;
  const kind = String.fromCharCode(bytes[start] ?? 0);
  const line = bytes.toString('utf8', start + 1, lineEnd);
  const next = lineEnd + 2;
  switch (kind) {
    case '+':
      return { value: line, end: next };
    case '-':
      throw new Error(line);
    case ':':
      return { value: Number(line), end: next };
    case '$': {
      const length = Number(line);
      if (length < 0) return { value: null, end: next };
      if (bytes.length < next + length + 2) return null;
      return { value: bytes.toString('utf8', next, next + length), end: next + length + 2 };
    }
    case '*': {
      const items: RedisReply[] = [];
      let end = next;
      for (let count = Number(line); count > 0; count -= 1) {
        const item = parseReply(bytes, end);
        if (item === null) return null;
        items.push(item.value);
        end = item.end;
      }
      return { value: items, end };
    }
    default:
      throw new Error('this is not a Redis server: its answer cannot be read');
  }
}
