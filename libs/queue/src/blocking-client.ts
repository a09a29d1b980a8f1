import type { Redis } from 'ioredis';
import { connect, type QueueLog, type RedisOptions } from './connect.ts';
import { isRefusal } from './errors.ts';

/**
 * A connection for blocking commands, disposable on purpose: "worker alive, consumes nothing" after a
 * network blip is the oldest complaint about Node queues (bullmq #648 to #4585), because a client that
 * reconnects re-sends or strands its blocked command. This one never reconnects. Every command has a
 * finite timeout on the server and a watchdog here, one second later; on any error or a late reply the
 * client is thrown away, and the next command builds a new one. What a lost reply had already moved is
 * found by reconcile.
 *
 * States: none (no client) → connecting → idle → blocked → idle …; anything unexpected → none.
 */
export interface BlockingClient {
  /** One blocking command at a time. @throws when the connection failed or the reply is overdue. */
  run<Result>(command: (client: Redis) => Promise<Result>): Promise<Result>;
  /** Makes the blocked command return empty-handed, by way of another connection. */
  unblock(commands: Redis): Promise<void>;
  /** Milliseconds since a command last returned in good order; null before the first. */
  lastReturnAgeMs(): number | null;
  close(): void;
}

/** Seconds a blocking command waits on the server. */
export const blockSeconds = 2;
const watchdogMs = blockSeconds * 1000 + 1000;

export function createBlockingClient(redis: RedisOptions, log?: QueueLog): BlockingClient {
  let client: Redis | null = null;
  let clientId: number | null = null;
  let lastReturn: number | null = null;
  let closed = false;

  function throwAway(): void {
    client?.disconnect();
    client = null;
    clientId = null;
  }

  async function ready(): Promise<Redis> {
    if (client !== null) return client;
    const fresh = connect(redis, 'blocking');
    client = fresh;
    await within(watchdogMs, fresh.connect());
    clientId = await within(watchdogMs, fresh.client('ID'));
    return fresh;
  }

  return {
    async run(command) {
      if (closed) throw new Error('this blocking client is closed');
      try {
        const result = await within(watchdogMs, command(await ready()));
        lastReturn = performance.now();
        return result;
      } catch (error) {
        // Refused is answered: the connection is as good as before.
        if (isRefusal(error)) throw error;
        throwAway();
        if (!closed)
          log?.debug({ error: String(error) }, 'blocking connection thrown away; a new one follows');
        throw error;
      }
    },
    async unblock(commands) {
      if (clientId !== null) await commands.client('UNBLOCK', clientId);
    },
    lastReturnAgeMs: () => (lastReturn === null ? null : performance.now() - lastReturn),
    close() {
      closed = true;
      throwAway();
    },
  };
}

async function within<Result>(ms: number, promise: Promise<Result>): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const overdue = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no reply within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, overdue]);
  } finally {
    clearTimeout(timer);
  }
}
