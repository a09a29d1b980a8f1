import { openTestRedis, startPrivateRedis, type TestRedis, until } from '@vortex/testkit';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import {
  createLiveView,
  createSubmitter,
  keys,
  QueueFull,
  type SubmittedJob,
  type Submitter,
} from '../src/index.ts';

let redis: TestRedis;
let submitter: Submitter;
beforeAll(async () => {
  redis = await openTestRedis();
  submitter = createSubmitter({ redis, name: 'view', caretaker: { tickMs: 0 } });
  await submitter.start();
  await until('ready', () => submitter.isReady());
});
afterAll(async () => {
  await submitter.close();
  await redis.close();
});
beforeEach(() => redis.client.flushdb());

const document = (id: string): SubmittedJob => ({
  list: 'ingestion_queue',
  lane: 'low',
  id,
  deadlineAt: Date.now() + 60_000,
  envelope: { tenant: 'acme' },
  body: Buffer.from('\n { "document_id": "dö", "content": "\\u20ac" }'),
  cap: 10,
  track: { type: 'ingest', tenant: 'default', payload: { document_id: 'dö' } },
});
const enqueue = (id: string) => submitter.enqueue(document(id));

test('what a client sent is carried as it came, behind the header', async () => {
  await enqueue('job_a');
  const [element = ''] = await redis.client.lrange('ingestion_queue', 0, -1);
  expect(element.endsWith(', "document_id": "dö", "content": "\\u20ac" }')).toBe(true);
  expect(JSON.parse(element)).toMatchObject({
    id: 'job_a',
    v: 1,
    tenant: 'acme',
    track: true,
    document_id: 'dö',
    content: '€',
  });
});

test('documents of one turn share a script; each hears its own answer', async () => {
  // A server of its own: the commands of other files must not be counted.
  const server = await startPrivateRedis();
  const alone = createSubmitter({ redis: server, name: 'alone', caretaker: { tickMs: 0 } });
  await alone.start();
  await until('ready', () => alone.isReady());
  const client = new Redis(server.url);
  const scripts = async () =>
    [...(await client.info('commandstats')).matchAll(/cmdstat_eval(?:sha)?:calls=(\d+)/g)].reduce(
      (sum, [, calls]) => sum + Number(calls),
      0,
    );
  const before = await scripts();
  const ids = Array.from({ length: 12 }, (_, place) => `job_${place}`);
  const ends = await Promise.allSettled([...ids, 'job_0'].map((id) => alone.enqueue(document(id))));
  expect(ends.map(({ status }) => status)).toEqual([
    ...Array(10).fill('fulfilled'),
    'rejected',
    'rejected',
    // In already: the same as if it had just been taken.
    'fulfilled',
  ]);
  expect(ends[10]).toMatchObject({ reason: expect.any(QueueFull) });
  // By hash, which this Redis does not know yet, then by text.
  expect((await scripts()) - before).toBe(2);
  expect(await client.llen('ingestion_queue')).toBe(10);
  expect(await client.scard(keys.active)).toBe(10);
  client.disconnect();
  await alone.close();
  await server.stop();
});

test('progress is shown while a job is open, and never after', async () => {
  const view = createLiveView(redis);
  await enqueue('job_a');
  const shown = () =>
    view.progress('job_a', { progress: 41.5, message: 'Embedding 412 of 980 chunks', etaMs: 900 });
  await until('the view is connected', shown);
  expect(await redis.client.hgetall(keys.job('job_a'))).toMatchObject({
    progress: '41.5',
    message: 'Embedding 412 of 980 chunks',
    eta_ms: '900',
  });
  expect(await view.progress('job_a', { progress: 3, message: 'again', etaMs: null })).toBe(true);
  expect(await redis.client.hmget(keys.job('job_a'), 'progress', 'message', 'eta_ms')).toEqual([
    '41.5',
    'again',
    null,
  ]);
  await redis.client.hset(keys.job('job_a'), { status: 'completed' });
  expect(await shown()).toBe(false);
  expect(await view.progress('job_unknown', { progress: 1, message: '' })).toBe(false);
  view.close();
});

test('a Redis that is away hides progress, and stops nobody', async () => {
  const server = await startPrivateRedis();
  const view = createLiveView(server);
  await server.stop();
  expect(await view.progress('job_a', { progress: 1, message: '' })).toBe(false);
  view.close();
});
