import { generatorList } from '@vortex/contracts';
import { openTestRedis, startPrivateRedis, type TestRedis, until } from '@vortex/testkit';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import {
  createInspector,
  createSubmitter,
  keys,
  QueueFull,
  QueueUnavailable,
  type RedisOptions,
  type SubmittedJob,
  type Submitter,
} from '../src/index.ts';

let redis: TestRedis;
const open: Submitter[] = [];
beforeAll(async () => {
  redis = await openTestRedis();
});
afterAll(() => redis.close());
beforeEach(() => redis.client.flushdb());
afterEach(async () => {
  for (const submitter of open.splice(0)) await submitter.close();
});

let number = 0;
async function startSubmitter(of: RedisOptions = redis): Promise<Submitter> {
  number += 1;
  const submitter = createSubmitter({
    redis: of,
    name: `s${number}-${process.pid}`,
    checkMs: 50,
    caretaker: { tickMs: 0 },
  });
  open.push(submitter);
  await submitter.start();
  return submitter;
}

const job = (id: string, more: Partial<SubmittedJob> = {}): SubmittedJob => ({
  list: 'job:encoder_in',
  lane: 'interactive',
  id,
  deadlineAt: Date.now() + 600_000,
  envelope: { query: 'what', tenant: 'acme' },
  cap: 1000,
  ...more,
});
const completion = (id: string) => JSON.stringify({ id, v: 1, status: 'completed' });

test('the element is a complete envelope with the submitter as its address', async () => {
  const submitter = await startSubmitter();
  await until('ready', () => submitter.isReady());
  const wait = submitter.submit(job('e1'));
  const element = await until('it is pushed', () => redis.client.lpop('job:encoder_in'));
  expect(JSON.parse(element)).toMatchObject({
    id: 'e1',
    v: 1,
    query: 'what',
    tenant: 'acme',
    reply_to: submitter.name,
  });
  expect(JSON.parse(element)).toMatchObject({
    deadline_at: expect.any(Number),
    enqueued_at: expect.any(Number),
  });
  await redis.client.rpush(keys.inbox(submitter.name), completion('e1'));
  expect(await wait).toBe(completion('e1'));
  expect(submitter.waiting()).toBe(0);
});

test('an id with quotes is found in its completion', async () => {
  const submitter = await startSubmitter();
  await until('ready', () => submitter.isReady());
  const wait = submitter.submit(job('say-"hi"\\'));
  await redis.client.rpush(keys.inbox(submitter.name), completion('say-"hi"\\'));
  expect(await wait).toBe(completion('say-"hi"\\'));
});

test('a lost inbox message does no harm: the completion key is looked at', async () => {
  const submitter = await startSubmitter();
  await until('ready', () => submitter.isReady());
  const wait = submitter.submit(job('lost-message'));
  await redis.client.set(keys.completion('lost-message'), completion('lost-message'), 'EX', 60);
  expect(await wait).toBe(completion('lost-message'));
});

test('two callers of one id get the same answer from one job', async () => {
  const submitter = await startSubmitter();
  await until('ready', () => submitter.isReady());
  await redis.client.del('job:encoder_in');
  const both = Promise.all([submitter.submit(job('joined')), submitter.submit(job('joined'))]);
  await until('it is live', async () => (await redis.client.zscore('job:live', 'joined')) !== null);
  await redis.client.rpush(keys.inbox(submitter.name), completion('joined'));
  expect(await both).toEqual([completion('joined'), completion('joined')]);
  expect(await redis.client.llen('job:encoder_in')).toBe(1);
});

test('redis is wiped while many wait: each job is submitted again under its id, none twice', async () => {
  const submitter = await startSubmitter();
  await until('ready', () => submitter.isReady());
  await redis.client.del('job:encoder_in');
  const ids = Array.from({ length: 100 }, (_, place) => `wiped-${place}`);
  const waits = Promise.all(ids.map((id) => submitter.submit(job(id))));
  await until('all are pushed', async () => (await redis.client.llen('job:encoder_in')) === 100);
  await redis.client.flushdb();
  await until('all are pushed again', async () => (await redis.client.llen('job:encoder_in')) === 100);
  const again = await redis.client.lrange('job:encoder_in', 0, -1);
  expect(again.map((element) => JSON.parse(element).id).sort()).toEqual([...ids].sort());
  for (const id of ids) await redis.client.set(keys.completion(id), completion(id), 'EX', 60);
  expect(await waits).toEqual(ids.map(completion));
});

test('at the cap: QueueFull with a time to come back, and nothing is left waiting', async () => {
  const submitter = await startSubmitter();
  await until('ready', () => submitter.isReady());
  await redis.client.flushdb();
  await submitter.enqueue(job('inside', { cap: 1 }));
  const refused = await submitter.submit(job('outside', { cap: 1 })).catch((error) => error);
  expect(refused).toBeInstanceOf(QueueFull);
  expect(refused.retryAfterMs).toBeGreaterThan(0);
  expect(submitter.waiting()).toBe(0);
});

test('an aborted wait rejects with AbortError and forgets the job', async () => {
  const submitter = await startSubmitter();
  await until('ready', () => submitter.isReady());
  const controller = new AbortController();
  const wait = submitter.submit(job('left'), { signal: controller.signal });
  controller.abort();
  await expect(wait).rejects.toMatchObject({ name: 'AbortError' });
  expect(submitter.waiting()).toBe(0);
  await expect(submitter.submit(job('never'), { signal: controller.signal })).rejects.toMatchObject({
    name: 'AbortError',
  });
});

test('enqueue with track writes the hash that tells of the job', async () => {
  const submitter = await startSubmitter();
  await until('ready', () => submitter.isReady());
  await submitter.enqueue(job('tracked', { track: { type: 'query', tenant: 'default' } }));
  const inspector = createInspector(redis);
  await until('inspector', () => inspector.ping());
  expect(await inspector.jobStatus('tracked')).toMatchObject({
    id: 'tracked',
    type: 'query',
    status: 'queued',
    progress: '0',
  });
  expect(await redis.client.ttl(keys.job('tracked'))).toBeGreaterThan(3500);
  expect(await inspector.jobStatus('unknown')).toBeNull();
  expect(await inspector.jobOwner('tracked')).toEqual({ tenant: 'default' });
  expect(await inspector.jobOwner('unknown')).toBeNull();
  inspector.close();
});

test('the head of a list of ids is as old as its job, which stands in another key', async () => {
  const list = 'queue:of-ids';
  const inspector = createInspector(redis);
  await until('inspector', () => inspector.ping());
  const ageOf = async () => (await inspector.queues([list]))[0]?.oldest_age_ms;
  expect(await ageOf()).toBeNull();
  await redis.client.rpush(list, 'waits-since');
  expect(await ageOf()).toBeNull();
  await redis.client.hset(keys.job('waits-since'), 'created_at', new Date(Date.now() - 90_000).toISOString());
  expect(await ageOf()).toBeGreaterThanOrEqual(90_000);
  await redis.client.lset(list, 0, `{"id":"x","enqueued_at":${Date.now() - 500_000}}`);
  expect(await ageOf()).toBeGreaterThanOrEqual(500_000);
  await redis.client.del(list);
  inspector.close();
});

test('the letters and retries of all generator lists are counted with the shared one alone', async () => {
  const inspector = createInspector(redis);
  await until('inspector', () => inspector.ping());
  const { client } = redis;
  await client.rpush(keys.dead(keys.sharedGeneratorList), 'one', 'two');
  await client.zadd(keys.retry(keys.sharedGeneratorList), Date.now() + 60_000, 'later');
  const lists = [keys.sharedGeneratorList, keys.batchGeneratorList, generatorList('worker')];
  const states = await inspector.queues(lists);
  expect(states.map(({ dead, retry }) => [dead, retry])).toEqual([
    [2, 1],
    [null, 0],
    [null, null],
  ]);
  await client.del(keys.dead(keys.sharedGeneratorList), keys.retry(keys.sharedGeneratorList));
  inspector.close();
});

test('says when Redis is full', async () => {
  const server = await startPrivateRedis();
  onTestFinished(() => server.stop());
  const inspector = createInspector(server);
  onTestFinished(() => inspector.close());
  const other = new Redis(server.url);
  onTestFinished(() => other.disconnect());
  await until('inspector', () => inspector.ping());
  expect(await inspector.memory()).toMatchObject({ max_bytes: null, full: false });
  await other.config('SET', 'maxmemory', '1gb');
  expect(await inspector.memory()).toMatchObject({ max_bytes: 2 ** 30, full: false });
  await other.config('SET', 'maxmemory', '100kb');
  expect(await inspector.memory()).toMatchObject({ max_bytes: 102_400, full: true });
  await expect(other.set('more', 'x')).rejects.toThrow(/OOM/);
});

test('redis that was never there, is stopped, hangs and comes back', async () => {
  const server = await startPrivateRedis({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] });
  onTestFinished(() => server.stop());
  await server.kill();
  const submitter = await startSubmitter({ url: server.url });
  expect(submitter.isReady()).toBe(false);
  await expect(submitter.submit(job('down'))).rejects.toBeInstanceOf(QueueUnavailable);

  await server.start();
  await until('ready once redis is there', () => submitter.isReady());
  const wait = submitter.submit(job('survivor'));
  const inspector = createInspector(server);
  await until(
    'the job is in',
    async () => (await inspector.ping()) && (await inspector.queues(['job:encoder_in']))[0]?.waiting === 1,
  );

  await server.kill();
  await until('not ready', () => !submitter.isReady());
  await expect(submitter.submit(job('down again'))).rejects.toBeInstanceOf(QueueUnavailable);
  await server.start();
  await until('ready again', () => submitter.isReady());

  process.kill(server.pid, 'SIGSTOP');
  // The bound is the promise made to the gateway: 503 within a second, by the clock that its limit is set on.
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  let refusal: unknown;
  submitter.submit(job('hanging')).catch((error) => {
    refusal = error;
  });
  await vi.advanceTimersByTimeAsync(1000);
  vi.useRealTimers();
  process.kill(server.pid, 'SIGCONT');
  expect(refusal).toBeInstanceOf(QueueUnavailable);

  const { Redis } = await import('ioredis');
  const client = new Redis(server.url);
  await client.rpush(keys.inbox(submitter.name), completion('survivor'));
  expect(await wait).toBe(completion('survivor'));
  client.disconnect();
  inspector.close();
  await submitter.close();
});

test('what is published by hand and is no frame harms nobody', async () => {
  const submitter = await startSubmitter();
  await until('ready', () => submitter.isReady());
  const admitted = Promise.withResolvers<void>();
  const frames: unknown[] = [];
  const wait = submitter.submit(job('p1'), {
    onFrame: (frame) => frames.push(frame),
    onAdmitted: admitted.resolve,
  });
  await admitted.promise;
  for (const text of ['{"id":', 'null', '"p1"', '{"id":"p1","kind":"delta"}']) {
    await redis.client.publish(keys.framesChannel(submitter.name), text);
  }
  await redis.client.rpush(keys.inbox(submitter.name), completion('p1'));
  expect(await wait).toBe(completion('p1'));
  expect(frames).toEqual([{ id: 'p1', kind: 'delta' }]);
  await redis.client.del('job:encoder_in', keys.live('interactive'));
});
