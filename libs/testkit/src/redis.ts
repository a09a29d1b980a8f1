import { Redis } from 'ioredis';
import { inject } from 'vitest';
import './redis-global-setup.ts';

/** A database of a test file's own on the project's Redis. */
export interface TestRedis {
  url: string;
  /** For connections that answer requests (queue, connect.ts): a stalled machine is no Redis that hangs. */
  answerMs: number;
  /** For looking and for playing outsider; the code under test makes its own connections. */
  client: Redis;
  close(): Promise<void>;
}

/**
 * Takes the next database number, so that files that run side by side do not meet. Channels of pub/sub
 * are shared by all databases: give submitters and jobs names of their own.
 */
export async function openTestRedis(): Promise<TestRedis> {
  const server = inject('redisUrl');
  const counter = new Redis(server);
  const number = 1 + ((await counter.incr('testkit:databases')) % 511);
  await counter.quit();
  const url = `${server}/${number}`;
  const client = new Redis(url);
  await client.flushdb();
  return {
    url,
    answerMs: 30_000,
    client,
    async close() {
      await client.flushdb();
      client.disconnect();
    },
  };
}
