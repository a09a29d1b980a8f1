import { type PrivateRedis, startPrivateRedis, until } from '@vortex/testkit';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  type BreakerRules,
  defaultBreakerRules,
  keys,
  reportReplica,
  runScript,
  word,
} from '../src/index.ts';
import { beatReplica } from './beat-replica.ts';

/** What a person's drain of a replica survives: its word stands in the pool's hash, and the replica asks for it. */
const url = 'http://127.0.0.1:9001';
let server: PrivateRedis;
let client: Redis;

beforeEach(async () => {
  server = await startPrivateRedis({ args: ['--appendonly', 'yes', '--appendfsync', 'everysec'] });
  client = connect(server);
  await beatReplica(client, { url, workerName: 'llm_generator_1', slots: 4 });
  const order = await runScript(client, 'drain-replica', [keys.pool, keys.replica(url)], [url, 'DRAIN']);
  expect(word(order)).toBe('OK');
});
afterEach(async () => {
  client.disconnect();
  await server.stop();
});

function connect({ url: address }: PrivateRedis): Redis {
  const made = new Redis(address);
  made.on('error', () => undefined);
  return made;
}

/** As a replica's process says it first after each start. */
async function report(
  through = client,
  of = url,
  rules: BreakerRules = defaultBreakerRules,
): Promise<boolean> {
  const verdict = await reportReplica(through, {
    url: of,
    list: 'job:llm_in:llm_generator_1',
    notes: { worker_name: 'llm_generator_1', slots: 4, ok: 0, failed: 0, streak: 0, begun: 0 },
    rules,
  });
  return verdict.drained;
}

test('a drained replica stays out when its process starts anew, and when Redis comes back from its file', async () => {
  expect(await report()).toBe(true);
  await server.kill();
  await server.start();
  expect(await report()).toBe(true);
});

test('a drained replica that is away stays out, however long another one reports meanwhile', async () => {
  const other = 'http://127.0.0.1:9002';
  const undrained = 'http://127.0.0.1:9003';
  await report();
  await report(client, undrained);
  // Every other one has been away for longer than that.
  await report(client, other, { ...defaultBreakerRules, alive_ms: 0, forget_ms: -1 });
  expect(await client.hexists(keys.pool, undrained)).toBe(0);
  expect(await report()).toBe(true);
});

test('a wiped Redis has forgotten the drain', async () => {
  await client.flushall();
  expect(await report()).toBe(false);
});

test('a drain that the new Redis had copied holds after a failover', async () => {
  const next = await startPrivateRedis();
  const promoted = connect(next);
  try {
    await promoted.replicaof('127.0.0.1', server.port);
    await until('it has copied the pool', async () => (await promoted.hexists(keys.pool, url)) === 1);
    await server.kill();
    await promoted.replicaof('NO', 'ONE');
    expect(await report(promoted)).toBe(true);
  } finally {
    promoted.disconnect();
    await next.stop();
  }
});
