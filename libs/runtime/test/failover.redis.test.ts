import { once } from 'node:events';
import { createMetrics, silentLogger } from '@vortex/observability';
import { createSubmitter, keys } from '@vortex/queue';
import {
  type MovableAddress,
  openMovableAddress,
  type PrivateRedis,
  startPrivateRedis,
  until,
} from '@vortex/testkit';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type RunningStages, runStages } from '../src/index.ts';
import { anAnswer, question, vector } from './stage-bench.ts';

/**
 * Two servers, the second a replica of the first, and one address that is moved to the second. Planned: the first is
 * made a replica of the second while everybody is connected to it; nothing hangs up, so who does not go by what it
 * says (`READONLY`, on a blocked command `UNBLOCKED`) stays there for ever. Unplanned: the first is killed, and what
 * it had not passed on yet is gone.
 */
let first: PrivateRedis;
let second: PrivateRedis;
let atFirst: Redis;
let atSecond: Redis;
let address: MovableAddress;
let stages: RunningStages;
let submitter: ReturnType<typeof createSubmitter>;
const url = 'http://127.0.0.1:9191';

beforeEach(async () => {
  // Else a primary waits five seconds for more replicas before it copies.
  const args = ['--repl-diskless-sync-delay', '0'];
  [first, second] = await Promise.all([startPrivateRedis({ args }), startPrivateRedis({ args })]);
  [atFirst, atSecond] = [first, second].map((server) => {
    const client = new Redis(server.url, { retryStrategy: () => 100 });
    client.on('error', () => undefined);
    return client;
  }) as [Redis, Redis];
  await atSecond.replicaof('127.0.0.1', first.port);
  await until('the second has a copy', async () =>
    (await atSecond.info('replication')).includes('master_link_status:up'),
  );
  address = await openMovableAddress(first.port);
  stages = await runStages({
    service: 'failover',
    workerName: 'failover_1',
    redis: address,
    log: silentLogger,
    metrics: createMetrics('failover'),
    lanes: {
      encode: {
        slots: 4,
        handler: async ({ query }) => ({
          kind: 'forward',
          to: 'retrieve',
          payload: { query, embedding: vector },
        }),
      },
      retrieve: {
        slots: 4,
        async handler({ id }) {
          await new Promise((resolve) => setTimeout(resolve, 5));
          const messages = [{ role: 'user' as const, content: id }];
          return {
            kind: 'forward',
            to: 'generate',
            payload: { query: id, collection: 'default', messages, sources: [] },
          };
        },
      },
      generate: {
        slots: 4,
        async handler({ id }, { signal }) {
          if (id === 'cancelled') await once(signal, 'abort');
          return { kind: 'done', result: anAnswer(id) };
        },
      },
    },
    replica: { url, slots: 4 },
    drainBudgetMs: 500,
    beatMs: 300,
    caretakerMs: 100,
  });
  submitter = createSubmitter({
    redis: address,
    name: `failover-${process.pid}`,
    checkMs: 200,
    caretaker: { tickMs: 100 },
  });
  await submitter.start();
  await until('both are ready', bothReady);
});
afterEach(async () => {
  await submitter.close();
  await stages.stop();
  atFirst.disconnect();
  atSecond.disconnect();
  await address.close();
  await first.stop();
  await second.stop();
});

const bothReady = () => submitter.isReady() && stages.readiness().ready;
const candidates = [{ url, workerName: 'failover_1', slots: 4 }];

/** As a client of the gateway: a 503 is answered by coming again. */
async function ask(id: string): Promise<Record<string, unknown>> {
  for (;;) {
    try {
      return JSON.parse(await submitter.submit(question(id, { candidates })));
    } catch (error) {
      if (!(error instanceof Error && error.name === 'QueueUnavailable')) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

async function swapRoles(): Promise<void> {
  await atSecond.replicaof('NO', 'ONE');
  address.moveTo(second.port);
  await atFirst.replicaof('127.0.0.1', second.port);
}

/** Roles of our connections at a server. */
async function connectedTo(client: Redis): Promise<string[]> {
  const list = (await client.client('LIST')) as string;
  return [...list.matchAll(/name=vortex-(\S+)/g)].map((match) => match[1] ?? '').sort();
}

async function nothingLeft(): Promise<void> {
  await until('nothing is live', async () => (await atSecond.zcard(keys.live('interactive'))) === 0);
  await until('nothing is in flight', async () => (await atSecond.keys('*:proc:*')).length === 0);
  await until('the load is 0', async () => (await atSecond.get(keys.load(url))) === '0');
}

test('roles are swapped while all wait for work: everybody moves, and the next question is answered', async () => {
  await swapRoles();
  expect(await ask('after')).toMatchObject({ status: 'completed' });
  await until('nobody who writes is left at the first', async () =>
    (await connectedTo(atFirst)).every((role) => role === 'subscriber'),
  );
  await until('all is ready again', bothReady);
  // The beats before it may have been lost with the first: nobody is known to the second until the next one.
  const lastLease = async () =>
    Number((await atSecond.zrange(keys.workers, '-1', '-1', 'WITHSCORES'))[1] ?? 0);
  const before = await lastLease();
  await until('beats arrive at the second', async () => (await lastLease()) > before);
  // Who only listens may stay: what is published at the primary is heard at its replicas.
  const cancelled = ask('cancelled');
  await until('it runs', async () => (await atSecond.get(keys.load(url))) === '1');
  await submitter.cancel('cancelled');
  expect(await cancelled).toMatchObject({ status: 'cancelled' });
  await nothingLeft();
});

test('roles are swapped under load: all answers arrive', async () => {
  const answers = Promise.all(Array.from({ length: 150 }, (_, place) => ask(`swap-${place}`)));
  await until('some are through', async () => (await atFirst.keys('job:completion:*')).length > 20);
  await swapRoles();
  for (const answer of await answers) expect(answer).toMatchObject({ status: 'completed' });
  await until('all is ready again', bothReady);
  await nothingLeft();
});

test('the first is killed under load, and the second takes its place with what it has: all answers arrive', async () => {
  const answers = Promise.all(Array.from({ length: 150 }, (_, place) => ask(`dead-${place}`)));
  await until('some are through', async () => (await atFirst.keys('job:completion:*')).length > 20);
  // What it writes from here on is never passed on.
  await atFirst.call('CLIENT', 'KILL', 'TYPE', 'REPLICA');
  await first.kill();
  await atSecond.replicaof('NO', 'ONE');
  address.moveTo(second.port);
  for (const answer of await answers) expect(answer).toMatchObject({ status: 'completed' });
  await until('all is ready again', bothReady, 15_000);
  await nothingLeft();
});
