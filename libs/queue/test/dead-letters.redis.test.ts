import { openTestRedis, startPrivateRedis, type TestRedis, until } from '@vortex/testkit';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import {
  createDeadLetters,
  type DeadLetters,
  deadLetterId,
  deadLetterText,
  elementOfLetter,
  type FoundLetter,
  keys,
  QueueUnavailable,
  readDeadLetter,
  runScript,
  word,
} from '../src/index.ts';

let redis: TestRedis;
let letters: DeadLetters;
beforeAll(async () => {
  redis = await openTestRedis();
  letters = createDeadLetters({ url: redis.url });
});
afterAll(async () => {
  letters.close();
  await redis.close();
});
beforeEach(() => redis.client.flushdb());

const list = 'job:encoder_in';
const proc = keys.inFlight(list, 'w1');
const mebibyte = 1024 * 1024;

const letterFor = (element: string | Buffer, id: string | null = null) =>
  deadLetterText(
    { id, queue: list, stage: 'encode', code: 'internal', reason: 'r', attempts: 1, first_at: null },
    element,
  );

/** As a worker does it, that holds `element`. */
async function bury(element: string | Buffer, id = '', client = redis.client): Promise<string> {
  await client.rpush(proc, element);
  const text = letterFor(element, id === '' ? null : id);
  const job = [keys.completion(id), keys.live('interactive'), keys.none, keys.none] as const;
  const reply = await runScript(
    client,
    'bury',
    [proc, keys.dead(list), ...job, keys.none, keys.none, keys.workers, keys.active, keys.deadSize(list)],
    [element, text, id, '{"status":"failed"}', '', ''],
  );
  expect(word(reply)).toBe('OK');
  return deadLetterId(list, text);
}

async function all(): Promise<FoundLetter[]> {
  const found: FoundLetter[] = [];
  for await (const one of letters.newestFirst('encode')) found.push(one);
  return found;
}
const size = () => redis.client.hgetall(keys.deadSize(list));
const bytesInList = async () =>
  (await redis.client.lrangeBuffer(keys.dead(list), 0, -1)).reduce((sum, { length }) => sum + length, 0);

const order = (id: string, element = `{"id":"${id}","again":true}`) => ({
  ...{ list, id, element, deadlineAt: Date.now() + 60_000, cap: 10 },
  track: { first: `{"id":"${id}","type":"query"}`, fields: '{"status":"queued","error":null}' },
});

test('the newest letters are kept: a thousand of small ones, sixteen mebibytes of large ones', async () => {
  for (let number = 0; number < 1010; number += 1) await bury(`small ${number}`);
  expect(await redis.client.llen(keys.dead(list))).toBe(1000);
  expect((await all()).at(-1)?.letter?.raw).toBe('small 10');
  expect(await size()).toEqual({ letters: '1000', bytes: String(await bytesInList()) });

  for (let number = 0; number < 300; number += 1) await bury(`${number} ${'x'.repeat(64 * 1024)}`);
  const bytes = await bytesInList();
  expect(bytes).toBeLessThanOrEqual(16 * mebibyte);
  expect(bytes).toBeGreaterThan(15.9 * mebibyte);
  expect(await size()).toEqual({ letters: String((await all()).length), bytes: String(bytes) });
  expect((await all())[0]?.letter?.raw.startsWith('299 ')).toBe(true);
});

test('what others do to the list does not unbind it', async () => {
  await bury('first');
  const garbage = Array.from({ length: 1500 }, (_, number) => `${number} ${'g'.repeat(20_000)}`);
  await redis.client.lpush(keys.dead(list), ...garbage);
  await bury('second');
  expect(await bytesInList()).toBeLessThanOrEqual(16 * mebibyte);
  expect((await all()).slice(0, 2).map(({ letter }) => letter?.raw)).toEqual(['second', 'first']);
  expect((await size()).bytes).toBe(String(await bytesInList()));

  await redis.client.del(keys.dead(list));
  await bury('third');
  expect(await size()).toEqual({ letters: '1', bytes: String(await bytesInList()) });
});

test('thousands of large bad envelopes: bounded count and bytes, and the memory comes back', async () => {
  const server = await startPrivateRedis();
  const client = new Redis(server.url);
  const dead = createDeadLetters({ url: server.url });
  onTestFinished(async () => {
    dead.close();
    client.disconnect();
    await server.stop();
  });
  const used = async () => Number(/used_memory:(\d+)/.exec(await client.info('memory'))?.[1]);
  const before = await used();
  for (let number = 0; number < 3000; number += 1) {
    await bury(`${number} ${'x'.repeat((number * 7919) % 65_000)}`, '', client);
  }
  expect((await used()) - before).toBeLessThan(24 * mebibyte);
  await until('the connection stands', () => dead.counts().catch(() => null));
  expect((await dead.counts()).get('encode')).toBeLessThanOrEqual(1000);
  let dropped = 0;
  for await (const letter of dead.newestFirst('encode')) if (await dead.drop(letter)) dropped += 1;
  expect(dropped).toBeGreaterThan(250);
  await until('the memory is back', async () => (await used()) - before < mebibyte);
});

test('every element has an id of its own, also the same job dead twice and what nobody wrote', async () => {
  const ids = [await bury('{"id":"a"}', 'a'), await bury('{"id":"a"}', 'a')];
  const garbage = Buffer.from([0xff, 0x00, 0x7b]);
  await redis.client.lpush(keys.dead(list), garbage, '[]', 'null', '{"queue":1}', '');
  const found = await all();
  expect(found.slice(0, 2).map(({ id }) => id)).toEqual(ids.reverse());
  expect(new Set(found.map(({ id }) => id)).size).toBe(7);
  expect(found.filter(({ letter }) => letter === null)).toHaveLength(5);
  for (const { id, text } of found) expect((await letters.find(id))?.text).toEqual(text);
  for (const id of ['', 'dlt_encode_', 'dlt_nobody_0', 'a', '../a', 'dlt_encode_\0']) {
    expect(await letters.find(id), id).toBeNull();
  }
});

test.each([
  ['all that were read', 20],
  ['the newest', 7],
])('%s are dropped while others are read: none of those is missed', async (_what, dropped) => {
  for (let number = 0; number < 60; number += 1) await bury(`${number}`);
  const read: FoundLetter[] = [];
  for await (const one of letters.newestFirst('encode')) {
    read.push(one);
    if (read.length !== 20) continue;
    for (const found of read.slice(0, dropped)) expect(await letters.drop(found)).toBe(true);
  }
  const numbers = Array.from({ length: 60 }, (_, place) => String(59 - place));
  expect(read.map(({ letter }) => letter?.raw)).toEqual(numbers);
});

test('letters that come while others are read are not among them, and those are read once', async () => {
  for (let number = 0; number < 40; number += 1) await bury(`${number}`);
  const read: (string | undefined)[] = [];
  for await (const { letter } of letters.newestFirst('encode')) {
    read.push(letter?.raw);
    if (read.length % 10 === 0) await bury(`new ${read.length}`);
  }
  expect(read).toEqual(Array.from({ length: 40 }, (_, place) => String(39 - place)));
});

test('redrive: the letter goes, the element stands on its list, the old end is forgotten', async () => {
  const id = await bury('{"id":"a"}', 'a');
  await redis.client.hset(keys.job('a'), { id: 'a', status: 'failed', error: 'old', payload: '{}' });
  await redis.client.zadd(keys.cancelled, Date.now() + 60_000, 'a');
  expect(await redis.client.exists(keys.completion('a'))).toBe(1);
  const found = (await letters.find(id)) as FoundLetter;
  expect(await letters.redrive(found, order('a'))).toBe('OK');
  expect(await redis.client.lrange(list, 0, -1)).toEqual(['{"id":"a","again":true}']);
  expect(await redis.client.hgetall(keys.job('a'))).toEqual({
    ...{ id: 'a', type: 'query', status: 'queued', payload: '{}' },
  });
  expect(await redis.client.smembers(keys.active)).toEqual(['a']);
  expect(await redis.client.zscore(keys.live('interactive'), 'a')).not.toBeNull();
  expect(await redis.client.exists(keys.completion('a'), keys.dead(list), keys.deadSize(list))).toBe(0);
  expect(await redis.client.zcard(keys.cancelled)).toBe(0);
  expect(await letters.redrive(found, order('a'))).toBe('GONE');
});

test('of many who redrive one letter exactly one does', async () => {
  const found = (await letters.find(await bury('{"id":"a"}', 'a'))) as FoundLetter;
  const words = await Promise.all(Array.from({ length: 20 }, () => letters.redrive(found, order('a'))));
  expect(words.sort()).toEqual([...Array(19).fill('GONE'), 'OK']);
  expect(await redis.client.llen(list)).toBe(1);
});

test('a full chain and a live id leave the letter where it is', async () => {
  const found = (await letters.find(await bury('{"id":"a"}', 'a'))) as FoundLetter;
  await redis.client.zadd(keys.live('interactive'), Date.now() + 60_000, 'b');
  expect(await letters.redrive(found, { ...order('a'), cap: 1 })).toBe('FULL');
  await redis.client.zadd(keys.live('interactive'), Date.now() + 60_000, 'a');
  expect(await letters.redrive(found, order('a'))).toBe('LIVE');
  expect([await redis.client.llen(list), (await all()).length]).toEqual([0, 1]);
  // The list is of another type: refused before anything was written.
  await redis.client.zrem(keys.live('interactive'), 'a');
  await redis.client.set(list, 'no list');
  await expect(letters.redrive(found, order('a'))).rejects.toThrow(QueueUnavailable);
  expect([await redis.client.zcard(keys.live('interactive')), (await all()).length]).toEqual([1, 1]);
});

test('drop of a letter that is gone already leaves the others, and their count', async () => {
  await bury('{"id":"a"}', 'a');
  await bury('{"id":"b"}', 'b');
  const [newest] = await all();
  if (newest === undefined) throw new Error('there is no letter');
  expect(await letters.drop(newest)).toBe(true);
  const before = await size();
  expect(await letters.drop(newest)).toBe(false);
  expect(await size()).toEqual(before);
  expect(await all()).toHaveLength(1);
});

test('drop: once, whatever it is', async () => {
  const id = await bury('one');
  await bury('two');
  await redis.client.lpush(keys.dead(list), 'garbage');
  const found = (await letters.find(id)) as FoundLetter;
  expect([await letters.drop(found), await letters.drop(found)]).toEqual([true, false]);
  expect((await letters.counts()).get('encode')).toBe(2);
  for (const left of await all()) expect(await letters.drop(left)).toBe(true);
  expect(await redis.client.exists(keys.dead(list), keys.deadSize(list))).toBe(0);
});

test('Redis away: every call says so, and nothing is lost', async () => {
  const away = createDeadLetters({ url: 'redis://127.0.0.1:1' });
  onTestFinished(() => away.close());
  const found = (await letters.find(await bury('{"id":"a"}', 'a'))) as FoundLetter;
  await expect(away.find(found.id)).rejects.toThrow(QueueUnavailable);
  await expect(away.redrive(found, order('a'))).rejects.toThrow(QueueUnavailable);
  await expect(away.drop(found)).rejects.toThrow(QueueUnavailable);
  await expect(away.counts()).rejects.toThrow(QueueUnavailable);
  expect(await all()).toHaveLength(1);
});

test('a letter gives its element back byte for byte, unless it was cut', () => {
  const back = (element: string | Buffer) => {
    const letter = readDeadLetter(Buffer.from(letterFor(element)));
    return letter && elementOfLetter(letter);
  };
  for (const element of ['', '{"id":"a"}', 'ě'.repeat(1000), '\u0001'.repeat(60_000), '"'.repeat(65_536)]) {
    expect(back(element)?.toString()).toBe(element);
  }
  const bytes = Buffer.from([0x7b, 0xff, 0xfe]);
  expect(back(bytes)).toEqual(bytes);
  expect(back('x'.repeat(65_537))).toBeNull();
  for (let shift = 0; shift < 4; shift += 1) {
    for (let more = 1; more < 5; more += 1)
      expect(back(`${'x'.repeat(65_533 + shift)}💥${'x'.repeat(more)}`)).toBeNull();
  }
  expect(letterFor('\u0001'.repeat(65_536)).length).toBeLessThan(90_000);
});
