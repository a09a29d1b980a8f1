import { failedCompletion } from '@vortex/contracts';
import { openTestRedis, type TestRedis } from '@vortex/testkit';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Caretaker, keys, startCaretaker, workerId, workerMember } from '../src/index.ts';

let redis: TestRedis;
let commands: Redis;
let caretaker: Caretaker;
const events: string[] = [];
beforeAll(async () => {
  redis = await openTestRedis();
  commands = new Redis(redis.url);
  caretaker = startCaretaker({
    commands,
    tickMs: 0,
    orphanRounds: 1,
    // An adopted orphan has lapsed at once.
    leaseMs: -1,
    onEvent: (event) => events.push(event),
  });
});
afterAll(async () => {
  await caretaker.stop();
  commands.disconnect();
  await redis.close();
});
beforeEach(async () => {
  await redis.client.flushdb();
  events.length = 0;
});

const list = 'job:encoder_in';
const proc = keys.inFlight(list, 'dead');
const lapse = (of = list) => redis.client.zadd(keys.workers, Date.now() - 1, workerMember(of, 'dead'));
/** What the next worker is told of the run that was lost. */
const lost = (stage: string) => ({
  ...{ kind: 'lost', stage, worker: 'dead' },
  reason: 'its worker stopped beating',
});
const read = async (key: string) =>
  (await redis.client.lrange(key, 0, -1)).map((element) => JSON.parse(element));

test('jobs of a lapsed worker go to the head in their order, with one redelivery more', async () => {
  await redis.client.rpush(list, '{"id":"waiting"}');
  await redis.client.rpush(proc, '{"id":"a","query":"1"}', '{"id":"b","redelivered":0}');
  await lapse();
  await caretaker.tick();
  expect(await read(list)).toEqual([
    { id: 'a', query: '1', redelivered: 1, tries: [lost('encode')] },
    { id: 'b', redelivered: 1, tries: [lost('encode')] },
    { id: 'waiting' },
  ]);
  expect(await redis.client.exists(proc, keys.workers)).toBe(0);
  expect(events).toEqual(['redelivered', 'redelivered']);
});

test('a second redelivery goes to the tail, so that a crasher does not starve the rest', async () => {
  await redis.client.rpush(list, '{"id":"waiting"}');
  const before = { kind: 'failed', stage: 'encode', worker: 'encoder_2' };
  await redis.client.rpush(proc, JSON.stringify({ id: 'a', redelivered: 1, tries: [before] }));
  await lapse();
  await caretaker.tick();
  expect(await read(list)).toEqual([
    { id: 'waiting' },
    { id: 'a', redelivered: 2, tries: [before, lost('encode')] },
  ]);
});

test('poison: after three deliveries without an end a job is buried, and who waits is told', async () => {
  await redis.client.rpush(proc, '{"id":"p","redelivered":2,"reply_to":"gw","track":true}');
  await redis.client.zadd('job:live', Date.now() + 9000, 'p');
  await lapse();
  await caretaker.tick();
  expect(await redis.client.llen(list)).toBe(0);
  expect(await read(keys.dead(list))).toMatchObject([
    {
      id: 'p',
      queue: list,
      stage: 'encode',
      code: 'poison',
      raw: '{"id":"p","redelivered":2,"reply_to":"gw","track":true}',
    },
  ]);
  const completion = failedCompletion.parse(JSON.parse((await redis.client.get(keys.completion('p'))) ?? ''));
  expect(completion).toMatchObject({
    status: 'failed',
    attempt: 3,
    error: { code: 'poison', stage: 'encode' },
  });
  expect(await read(keys.inbox('gw'))).toEqual([completion]);
  expect(await redis.client.hgetall(keys.job('p'))).toMatchObject({ status: 'failed', error_code: 'poison' });
  expect(await redis.client.zcard('job:live')).toBe(0);
});

test('a body without an id gets one that stays, or it could never be taken for poison', async () => {
  const documents = 'ingestion_queue';
  await redis.client.rpush(keys.inFlight(documents, 'dead'), '{"document_id":"d","content":"text"}');
  for (const redelivered of [1, 2]) {
    await lapse(documents);
    await caretaker.tick();
    const [element] = await read(documents);
    expect(element).toMatchObject({ id: expect.stringMatching(/^job_[0-9a-f]{32}$/), redelivered });
    await redis.client.lmove(documents, keys.inFlight(documents, 'dead'), 'LEFT', 'RIGHT');
  }
  await lapse(documents);
  await caretaker.tick();
  expect(await read(keys.dead(documents))).toMatchObject([{ code: 'poison', stage: 'ingest' }]);
});

test('a lost run names the worker as its configuration does, and its replica where any may have taken the job', async () => {
  const wid = workerId('llm_1', 'vm', 17, 'c4857df1');
  const shared = keys.sharedGeneratorList;
  await redis.client.rpush(keys.inFlight(shared, wid), '{"id":"g"}');
  await redis.client.zadd(keys.replicas, Date.now() + 60_000, 'http://r1');
  await redis.client.hset(keys.replica('http://r1'), { worker_name: 'llm_1', list: 'job:llm_in:llm_1' });
  await redis.client.zadd(keys.workers, Date.now() - 1, workerMember(shared, wid));
  await caretaker.tick();
  expect(await read(shared)).toMatchObject([{ tries: [{ worker: 'llm_1', replica: 'http://r1' }] }]);

  const encoder = workerId('a:b|c@d', 'vm', 18, 'c4857df1');
  await redis.client.rpush(keys.inFlight(list, encoder), '{"id":"e"}');
  await redis.client.zadd(keys.workers, Date.now() - 1, workerMember(list, encoder));
  await caretaker.tick();
  expect(await read(list)).toMatchObject([{ tries: [{ worker: 'a_b_c_d' }] }]);
});

test("a dead replica's job goes to the shared list, unassigned, and its lease is gone", async () => {
  const own = 'job:llm_in:llm_1';
  const url = 'http://r1';
  await redis.client.rpush(
    keys.inFlight(own, 'dead'),
    JSON.stringify({ id: 'g', replica: { worker_name: 'llm_1', url } }),
  );
  await redis.client.zadd(keys.leases(url), Date.now() + 60_000, 'g');
  await redis.client.set(keys.load(url), '1');
  await redis.client.zadd(keys.replicas, Date.now() + 60_000, url, Date.now() + 60_000, 'http://r2');
  await redis.client.hset(keys.replica(url), { worker_name: 'llm_1', list: own });
  await redis.client.hset(keys.replica('http://r2'), { worker_name: 'llm_2', list: 'job:llm_in:llm_2' });
  await lapse(own);
  await caretaker.tick();
  expect(await read(keys.sharedGeneratorList)).toEqual([
    { id: 'g', redelivered: 1, tries: [{ ...lost('generate'), worker: 'llm_1', replica: url }] },
  ]);
  expect(await redis.client.get(keys.load(url))).toBe('0');
  expect(await redis.client.llen(own)).toBe(0);
});

test('an encoder that died does not cost a query its reserved replica', async () => {
  const replica = { worker_name: 'llm_1', url: 'http://r1' };
  await redis.client.rpush(proc, JSON.stringify({ id: 'q', replica }));
  await lapse();
  await caretaker.tick();
  expect(await read(list)).toEqual([{ id: 'q', replica, redelivered: 1, tries: [lost('encode')] }]);
});

test('an unreadable element goes back as it is, for its stage to bury', async () => {
  const bytes = Buffer.from([0xff, 0x00]);
  await redis.client.rpush(proc, bytes);
  await lapse();
  await caretaker.tick();
  expect(await redis.client.lpopBuffer(list)).toEqual(bytes);
});

test('one nested so deep that it could not be written again holds up nobody', async () => {
  const deep = `{"id":"a","query":"x","more":${'['.repeat(9000)}${']'.repeat(9000)}}`;
  await redis.client.rpush(proc, deep, '{"id":"b"}');
  await lapse();
  await caretaker.tick();
  expect(await redis.client.lrange(list, 0, -1)).toEqual([deep, expect.stringContaining('"id":"b"')]);
});

test('a living worker is left alone', async () => {
  await redis.client.rpush(proc, '{"id":"a"}');
  await redis.client.zadd(keys.workers, Date.now() + 60_000, workerMember(list, 'dead'));
  await caretaker.tick();
  expect(await redis.client.llen(proc)).toBe(1);
});

test('two caretakers at once move each job once', async () => {
  const ids = Array.from({ length: 50 }, (_, place) => `j${place}`);
  await redis.client.rpush(proc, ...ids.map((id) => JSON.stringify({ id })));
  await lapse();
  const second = new Redis(redis.url);
  await Promise.all([caretaker.tick(), startCaretaker({ commands: second, tickMs: 0 }).tick()]);
  second.disconnect();
  expect((await read(list)).map(({ id }) => id).sort()).toEqual([...ids].sort());
});

test('an in-flight list that no worker is registered for is found, and its work comes back', async () => {
  await redis.client.rpush(proc, '{"id":"orphan"}');
  await caretaker.tick();
  await caretaker.tick();
  expect(await read(list)).toEqual([{ id: 'orphan', redelivered: 1, tries: [lost('encode')] }]);
});

test('an id long past its deadline is completed, on both lanes; a job in hand is given time to end itself', async () => {
  const now = Date.now();
  await redis.client.zadd('job:live', now - 5000, 'q', now - 100, 'in hand');
  await redis.client.zadd('job:live:low', now - 5000, 'd');
  await caretaker.tick();
  for (const id of ['q', 'd']) {
    const completion = failedCompletion.parse(
      JSON.parse((await redis.client.get(keys.completion(id))) ?? ''),
    );
    expect(completion).toMatchObject({
      id,
      status: 'deadline_exceeded',
      error: { code: 'deadline_exceeded', stage: null },
    });
  }
  expect(await redis.client.zrange('job:live', 0, '-1')).toEqual(['in hand']);
  expect(events).toEqual(['expired', 'expired']);
});

test('what ended without a word leaves the set of open jobs; open ones stay', async () => {
  await redis.client.sadd(keys.active, 'open', 'ended', 'gone');
  await redis.client.hset(keys.job('open'), { status: 'processing' });
  await redis.client.hset(keys.job('ended'), { status: 'completed' });
  await caretaker.tick();
  expect(await redis.client.smembers(keys.active)).toEqual(['open']);
});

test('bare ids go back to the head as they are, however often: who knows the job counts', async () => {
  const ids = 'queue:document_upload';
  const held = keys.inFlight(ids, 'dead');
  for (let death = 0; death < 4; death += 1) {
    await redis.client.del(ids);
    await redis.client.rpush(held, 'job_a', 'not an id at all', 'job_b');
    await lapse(ids);
    await caretaker.tick();
    expect(await redis.client.lrange(ids, 0, -1)).toEqual(['job_a', 'not an id at all', 'job_b']);
  }
  expect(await redis.client.exists(keys.dead(ids))).toBe(0);
});

test('what Redis refuses keeps the rest from nothing, and is told once', async () => {
  const told: object[] = [];
  const log = { debug() {}, info() {}, warn() {}, error: (fields: object) => told.push(fields) };
  const watched = startCaretaker({ commands, tickMs: 0, log });
  const obstructed = 'job:retriever_in';
  await redis.client.set(obstructed, 'no list');
  await redis.client.rpush(keys.inFlight(obstructed, 'dead'), '{"id":"stays"}');
  await redis.client.rpush(proc, '{"id":"a"}');
  // The obstructed one first, as `overdue` lists them.
  await redis.client.zadd(keys.workers, Date.now() - 9000, workerMember(obstructed, 'dead'));
  await lapse();
  await redis.client.zadd(keys.replicas, Date.now() - 1, 'http://r1');
  await redis.client.zadd('job:live', Date.now() - 5000, 'late');

  await expect(watched.tick()).rejects.toThrow('WRONGTYPE');
  expect(await read(list)).toMatchObject([{ id: 'a', redelivered: 1 }]);
  expect(await redis.client.hget(keys.replica('http://r1'), 'state')).toBe('down');
  expect(await redis.client.exists(keys.completion('late'))).toBe(1);
  const refusal = { step: 'reap', of: keys.inFlight(obstructed, 'dead') };
  expect(told).toMatchObject([refusal]);
  await expect(watched.tick()).rejects.toThrow('WRONGTYPE');
  expect(told).toHaveLength(1);

  await redis.client.del(obstructed);
  await watched.tick();
  expect(await read(obstructed)).toMatchObject([{ id: 'stays', redelivered: 1 }]);
  expect(await redis.client.zcard(keys.workers)).toBe(0);
});

test('a dead list of a wrong type holds back poison, and no other job of that worker', async () => {
  await redis.client.set(keys.dead(list), 'no list');
  await redis.client.rpush(proc, '{"id":"a"}', '{"id":"p","redelivered":2}', '{"id":"b"}');
  await lapse();
  await expect(caretaker.tick()).rejects.toThrow('WRONGTYPE');
  expect((await read(list)).map(({ id }) => id)).toEqual(['a', 'b']);
  expect((await read(proc)).map(({ id }) => id)).toEqual(['p']);
});
