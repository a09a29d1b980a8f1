import { openTestRedis, startPrivateRedis, type TestRedis } from '@vortex/testkit';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { keys, type Reply, runScript, texts, word, words } from '../src/index.ts';

/** Every script by itself. One piece, because all of them work on the same few jobs and lists. */
let redis: TestRedis;
beforeAll(async () => {
  redis = await openTestRedis();
});
afterAll(() => redis.close());
beforeEach(() => redis.client.flushdb());

const list = 'job:encoder_in';
const next = 'job:retriever_in';
const proc = keys.inFlight(list, 'w1');
const replicaUrl = 'http://replica-1';

const admit = (id: string, cap = 10) =>
  runScript(
    redis.client,
    'admit',
    [
      keys.live('interactive'),
      list,
      keys.sharedGeneratorList,
      keys.none,
      keys.active,
      keys.recent,
      keys.pool,
    ],
    [id, Date.now() + 5000, cap, '{', `"id":"${id}"}`, ''],
  );
const claim = (want: number) => runScript(redis.client, 'claim', [list, proc], [want]);
type Ending = [old: string, id: string, value?: string];
const finish = (endings: Ending[], inbox = keys.inbox('gw')) =>
  runScript(
    redis.client,
    'finish',
    [
      proc,
      keys.live('interactive'),
      inbox,
      keys.none,
      keys.none,
      keys.active,
      ...endings.flatMap(([, id]) => [keys.completion(id), keys.none]),
    ],
    endings.flatMap(([old, id, value = 'done']) => [old, id, value, '']),
  );
const handoff = (...jobs: [old: string, changed: string][]) =>
  runScript(redis.client, 'handoff', [proc, next], jobs.flat());
const everywhere = async () => ({
  waiting: await redis.client.lrange(list, 0, -1),
  inFlight: await redis.client.lrange(proc, 0, -1),
  next: await redis.client.lrange(next, 0, -1),
});

test('admit: once, and again without effect', async () => {
  expect(word(await admit('a'))).toBe('OK');
  expect(word(await admit('a'))).toBe('DUP');
  expect(await redis.client.lrange(list, 0, -1)).toEqual(['{"id":"a"}']);
  expect(await redis.client.zcard('job:live')).toBe(1);
});

test('admit: sent again after its job has ended, it changes nothing while the completion is kept', async () => {
  const again = () =>
    runScript(
      redis.client,
      'admit',
      [
        keys.live('interactive'),
        list,
        keys.sharedGeneratorList,
        keys.completion('a'),
        keys.active,
        keys.recent,
        keys.pool,
      ],
      ['a', Date.now() + 5000, 10, '{', '"id":"a"}', ''],
    );
  expect(word(await again())).toBe('OK');
  await claim(1);
  await finish([['{"id":"a"}', 'a']]);
  expect(word(await again())).toBe('DUP');
  expect(await redis.client.llen(list)).toBe(0);
  expect(await redis.client.zcard('job:live')).toBe(0);
  await redis.client.del(keys.completion('a'));
  expect(word(await again())).toBe('OK');
});

test("a tracked job's hash outlives its deadline, and its end by an hour", async () => {
  const key = keys.job('a');
  await runScript(
    redis.client,
    'admit',
    [keys.live('low'), list, keys.sharedGeneratorList, key, keys.active, keys.recent, keys.pool],
    ['a', Date.now() + 24 * 3_600_000, 10, '{', '"id":"a"}', '["id","a","status","queued"]'],
  );
  const mark = (fields: object) => runScript(redis.client, 'mark', [key], [JSON.stringify(fields)]);
  await mark({ status: 'processing' });
  expect(await redis.client.ttl(key)).toBeGreaterThan(24 * 3600);
  await mark({ status: 'completed', completed_at: 'now' });
  expect(await redis.client.ttl(key)).toBeLessThanOrEqual(3600);
});

test('admit-many: the same for many: once each, up to the cap, with the live view', async () => {
  const many = (ids: string[], cap = 10) =>
    runScript(
      redis.client,
      'admit-many',
      [keys.live('low'), list, keys.active, keys.recent, ...ids.map(keys.job)],
      [
        cap,
        '["type","ingest","status","queued","progress","0"]',
        7200,
        ...ids.flatMap((id) => [id, Date.now() + 5000, `element ${id}`, id === 'b' ? '' : `{"of":"${id}"}`]),
      ],
    );
  const said = async (reply: Promise<Reply>) => words(await reply, 1);
  expect(await said(many(['a', 'b', 'c']))).toEqual(['OK']);
  expect(await said(many(['d', 'a', 'd']))).toEqual(['OK', 'DUP', 'DUP']);
  expect(await said(many(['e', 'f', 'a'], 5))).toEqual(['OK', 'FULL', 'DUP']);
  expect(await redis.client.lrange(list, 0, -1)).toEqual(
    ['a', 'b', 'c', 'd', 'e'].map((id) => `element ${id}`),
  );
  expect(await redis.client.zrange(keys.live('low'), 0, '-1')).toEqual(['a', 'b', 'c', 'd', 'e']);
  expect((await redis.client.smembers(keys.active)).sort()).toEqual(['a', 'b', 'c', 'd', 'e']);
  expect(await redis.client.lrange(keys.recent, 0, -1)).toEqual(['e', 'd', 'c', 'b', 'a']);
  const common = { type: 'ingest', status: 'queued', progress: '0' };
  expect(await redis.client.hgetall(keys.job('a'))).toEqual({ ...common, id: 'a', payload: '{"of":"a"}' });
  expect(await redis.client.hgetall(keys.job('b'))).toEqual({ ...common, id: 'b' });
  expect(await redis.client.ttl(keys.job('e'))).toBeGreaterThan(7000);

  // An ended job that is admitted again begins anew, and is listed once.
  await redis.client.zrem(keys.live('low'), 'a');
  await redis.client.hset(keys.job('a'), { status: 'failed', error: 'of the first run' });
  expect(await said(many(['a']))).toEqual(['OK']);
  expect(await redis.client.hgetall(keys.job('a'))).toEqual({ ...common, id: 'a', payload: '{"of":"a"}' });
  expect(await redis.client.llen(keys.recent)).toBe(5);
});

test('admit-many: a push that fails leaves nothing', async () => {
  await redis.client.set(list, 'not a list');
  const attempt = runScript(
    redis.client,
    'admit-many',
    [keys.live('low'), list, keys.active, keys.recent, keys.job('a')],
    [10, '["status","queued"]', 60, 'a', Date.now(), 'element', ''],
  );
  await expect(attempt).rejects.toThrow('WRONGTYPE');
  expect(await redis.client.dbsize()).toBe(1);
});

test('begin: an element in flight enters the live set and the view; one that is not does nothing', async () => {
  const begin = async (old: string) =>
    word(
      await runScript(
        redis.client,
        'begin',
        [proc, keys.live('low'), keys.job('a'), keys.active, keys.recent],
        [old, 'a', 4711, '{"id":"a","started_at":"first"}', '{"status":"processing"}'],
      ),
    );
  expect(await begin('a')).toBe('FENCED');
  expect(await redis.client.dbsize()).toBe(0);
  await redis.client.rpush(proc, 'a');
  expect(await begin('a')).toBe('OK');
  expect(await redis.client.zscore(keys.live('low'), 'a')).toBe('4711');
  expect(await redis.client.hgetall(keys.job('a'))).toEqual({
    id: 'a',
    started_at: 'first',
    status: 'processing',
  });
  expect(await redis.client.lrange(keys.recent, 0, -1)).toEqual(['a']);

  await redis.client.hset(keys.job('a'), { status: 'completed', result: 'of the first run' });
  expect(await begin('')).toBe('OVER');
  expect(await redis.client.hget(keys.job('a'), 'status')).toBe('completed');
  // In flight again: pushed again by hand, it is another run.
  expect(await begin('a')).toBe('OK');
  expect(await redis.client.hexists(keys.job('a'), 'result')).toBe(0);
  expect(await redis.client.llen(keys.recent)).toBe(1);
});

test('mark: progress does not go back within a try, an end stays, half a hash is not made', async () => {
  const key = keys.job('a');
  const mark = async (fields: object) =>
    word(await runScript(redis.client, 'mark', [key], [JSON.stringify(fields)]));
  expect(await mark({ progress: '10' })).toBe('GONE');
  expect(await redis.client.exists(key)).toBe(0);
  await redis.client.hset(key, { status: 'processing', progress: '40.5', eta_ms: '9' });
  expect(await mark({ progress: '9', message: 'Embedding 1 of 9', eta_ms: null })).toBe('OK');
  expect(await redis.client.hgetall(key)).toEqual({
    status: 'processing',
    progress: '40.5',
    message: 'Embedding 1 of 9',
  });
  expect(await mark({ progress: '100' })).toBe('OK');
  await redis.client.hset(key, { status: 'cancelled' });
  expect(await mark({ progress: '100', message: 'late' })).toBe('OVER');
  expect(await redis.client.hget(key, 'message')).toBe('Embedding 1 of 9');
});

test('admit: at the cap newcomers are refused, and who is in already is told so', async () => {
  await admit('a', 1);
  expect(word(await admit('b', 1))).toBe('FULL');
  expect(word(await admit('a', 1))).toBe('DUP');
});

test('admit: a push that fails leaves neither live entry nor lease nor job hash', async () => {
  await redis.client.set(list, 'not a list');
  await redis.client.hset(keys.replica(replicaUrl), { state: 'up', until: Date.now() + 10_000 });
  const attempt = runScript(
    redis.client,
    'admit',
    [
      keys.live('interactive'),
      list,
      keys.sharedGeneratorList,
      keys.job('a'),
      keys.active,
      keys.recent,
      keys.pool,
      keys.leases(replicaUrl),
      keys.load(replicaUrl),
      keys.replica(replicaUrl),
    ],
    ['a', Date.now() + 5000, 10, '{', '"id":"a"}', '["status","queued"]', 4, replicaUrl, '"replica":1,'],
  );
  await expect(attempt).rejects.toThrow('WRONGTYPE');
  const traces = ['job:live', keys.job('a'), keys.leases(replicaUrl), keys.active, keys.recent];
  expect(await redis.client.exists(...traces)).toBe(0);
  expect(await redis.client.get(keys.load(replicaUrl))).toBe('0');
});

test('handoff: acknowledges and pushes on, many in one call and in their order', async () => {
  for (const id of ['a', 'b', 'c']) await admit(id);
  await claim(3);
  const reply = await handoff(['{"id":"a"}', 'new a'], ['{"id":"c"}', 'new c']);
  expect(word(reply)).toBe('OK');
  expect(await everywhere()).toEqual({ waiting: [], inFlight: ['{"id":"b"}'], next: ['new a', 'new c'] });
});

test('handoff: a fenced worker hands on nothing, and its other jobs go on', async () => {
  await redis.client.rpush(next, 'other', 'new gone');
  await redis.client.rpush(proc, 'mine');
  const reply = await handoff(['gone', 'new gone'], ['mine', 'new mine'], ['gone too', 'new too']);
  expect(texts(reply)).toEqual(['FENCED', 'OK', 'FENCED']);
  expect(await everywhere()).toEqual({ waiting: [], inFlight: [], next: ['other', 'new gone', 'new mine'] });
});

test('handoff: sent again after a lost reply, it is fenced and the job is passed on once', async () => {
  await admit('a');
  await claim(1);
  expect(word(await handoff(['{"id":"a"}', 'new']))).toBe('OK');
  expect(texts(await handoff(['{"id":"a"}', 'new']))).toEqual(['FENCED']);
  expect(await redis.client.lrange(next, 0, -1)).toEqual(['new']);
});

test('handoff: when the push fails, the jobs stay in flight', async () => {
  await admit('a');
  await claim(1);
  await redis.client.set(next, 'not a list');
  await expect(handoff(['{"id":"a"}', 'new'])).rejects.toThrow('WRONGTYPE');
  expect(await redis.client.lrange(proc, 0, -1)).toEqual(['{"id":"a"}']);
});

test('claim: takes sources in order, never more than wanted, and stops after a megabyte', async () => {
  const other = keys.inFlight(next, 'w1');
  await redis.client.rpush(list, '1', '2');
  await redis.client.rpush(next, '3', '4');
  const claimed = await runScript(redis.client, 'claim', [list, proc, next, other], [3]);
  expect(claimed).toEqual([0, Buffer.from('1'), 0, Buffer.from('2'), 1, Buffer.from('3')]);
  const large = 'x'.repeat(700_000);
  await redis.client.rpush(list, large, large, large);
  expect(texts(await claim(3))).toEqual([large, large]);
});

test('finish: completion, inbox and live entry in one call; the key and the inbox expire', async () => {
  await admit('a');
  await admit('b');
  await claim(2);
  expect(
    word(
      await finish([
        ['{"id":"a"}', 'a'],
        ['{"id":"b"}', 'b', 'done b'],
      ]),
    ),
  ).toBe('OK');
  expect(await redis.client.mget('job:completion:a', 'job:completion:b')).toEqual(['done', 'done b']);
  expect(await redis.client.lrange('job:done:gw', 0, -1)).toEqual(['done', 'done b']);
  expect(await redis.client.ttl('job:completion:a')).toBeGreaterThan(50);
  expect(await redis.client.ttl('job:done:gw')).toBeGreaterThan(10);
  expect(await redis.client.ttl('job:done:gw')).toBeLessThanOrEqual(15);
  expect(await redis.client.zcard('job:live')).toBe(0);
  expect(await everywhere()).toEqual({ waiting: [], inFlight: [], next: [] });
});

test('finish: a fenced worker leaves no completion, tells nobody and keeps the job live; its other jobs end', async () => {
  await admit('a');
  await admit('b');
  await claim(1);
  expect(
    texts(
      await finish([
        ['{"id":"b"}', 'b'],
        ['{"id":"a"}', 'a'],
      ]),
    ),
  ).toEqual(['FENCED', 'OK']);
  expect(await redis.client.exists('job:completion:b')).toBe(0);
  expect(await redis.client.lrange('job:done:gw', 0, -1)).toEqual(['done']);
  expect(await redis.client.zrange('job:live', 0, '-1')).toEqual(['b']);
});

test('finish: the first completion stays, a second run changes nothing', async () => {
  await redis.client.rpush(proc, 'run 1', 'run 2');
  await finish([['run 1', 'a', 'first']]);
  expect(word(await finish([['run 2', 'a', 'second']]))).toBe('OK');
  expect(await redis.client.get('job:completion:a')).toBe('first');
  expect(await redis.client.lrange('job:done:gw', 0, -1)).toEqual(['first']);
});

test('finish: when the inbox cannot be written, the job stays in flight', async () => {
  await redis.client.rpush(proc, 'run');
  await redis.client.set(keys.inbox('gw'), 'not a list');
  await expect(finish([['run', 'a']])).rejects.toThrow('WRONGTYPE');
  expect(await redis.client.lrange(proc, 0, -1)).toEqual(['run']);
});

test('finish: leases end with their jobs, and the load says so', async () => {
  await redis.client.rpush(proc, 'run a', 'run b');
  await redis.client.zadd(
    keys.leases(replicaUrl),
    Date.now() + 9000,
    'a',
    Date.now() + 9000,
    'b',
    Date.now() + 9000,
    'c',
  );
  const ended = await runScript(
    redis.client,
    'finish',
    [
      proc,
      keys.live('interactive'),
      keys.none,
      keys.leases(replicaUrl),
      keys.load(replicaUrl),
      keys.active,
      keys.completion('a'),
      keys.none,
      keys.completion('b'),
      keys.none,
    ],
    ['run a', 'a', 'done', '', 'run b', 'b', 'done', ''],
  );
  expect(word(ended)).toBe('OK');
  expect(await redis.client.get(keys.load(replicaUrl))).toBe('1');
});

test('retry waits in Redis until it is due; promote brings it back', async () => {
  await redis.client.rpush(proc, 'old', 'old 2');
  const retry = (old: string, delayMs: number) =>
    runScript(
      redis.client,
      'retry',
      [proc, keys.retry(list), keys.none, keys.none, keys.none, keys.none],
      [old, `${old} again`, delayMs, 'a', '', 0],
    );
  expect(word(await retry('old', 0))).toBe('OK');
  expect(word(await retry('old 2', 60_000))).toBe('OK');
  expect(word(await retry('old', 0))).toBe('FENCED');
  expect(await runScript(redis.client, 'promote', [keys.retry(list), list], [16])).toBe(1);
  expect(await redis.client.lrange(list, 0, -1)).toEqual(['old again']);
  expect(await redis.client.zrange(keys.retry(list), 0, '-1')).toEqual(['old 2 again']);
});

test('bury: the letter, the completion and the inbox; the dead list keeps a thousand', async () => {
  const fill = redis.client.pipeline();
  for (let letter = 0; letter < 1000; letter += 1) fill.rpush(keys.dead(list), `letter ${letter}`);
  await fill.exec();
  await redis.client.rpush(proc, 'bad');
  const bury = () =>
    runScript(
      redis.client,
      'bury',
      [
        proc,
        keys.dead(list),
        keys.completion('a'),
        keys.live('interactive'),
        keys.inbox('gw'),
        keys.none,
        keys.none,
        keys.none,
        keys.workers,
        keys.active,
        keys.deadSize(list),
      ],
      ['bad', 'the letter', 'a', 'failed', '', ''],
    );
  expect(word(await bury())).toBe('OK');
  expect(word(await bury())).toBe('FENCED');
  expect(await redis.client.llen(keys.dead(list))).toBe(1000);
  expect(await redis.client.lindex(keys.dead(list), -1)).toBe('the letter');
  expect(await redis.client.get('job:completion:a')).toBe('failed');
  expect(await redis.client.lrange('job:done:gw', 0, -1)).toEqual(['failed']);
});

test('give-back: to the head, unchanged', async () => {
  await redis.client.rpush(list, 'later');
  await redis.client.rpush(proc, 'sooner');
  expect(
    word(await runScript(redis.client, 'give-back', [proc, list, keys.none, keys.none], ['sooner', ''])),
  ).toBe('OK');
  expect(await everywhere()).toEqual({ waiting: ['sooner', 'later'], inFlight: [], next: [] });
});

test('reap-one: only from a lapsed worker, and each element once', async () => {
  await redis.client.rpush(proc, 'old');
  await redis.client.rpush(list, 'other');
  const reap = () =>
    runScript(
      redis.client,
      'reap-one',
      [keys.workers, proc, list, keys.none, keys.none],
      ['m', 'old', 'new', 'HEAD', 'a'],
    );
  await redis.client.zadd(keys.workers, Date.now() + 60_000, 'm');
  expect(word(await reap())).toBe('ALIVE');
  await redis.client.zadd(keys.workers, Date.now() - 1, 'm');
  expect(word(await reap())).toBe('OK');
  expect(word(await reap())).toBe('GONE');
  expect(await everywhere()).toEqual({ waiting: ['new', 'other'], inFlight: [], next: [] });
});

test('forget-worker: only when lapsed and empty-handed', async () => {
  const forget = async () =>
    word(await runScript(redis.client, 'forget-worker', [keys.workers, proc], ['m']));
  await redis.client.zadd(keys.workers, Date.now() + 60_000, 'm');
  expect(await forget()).toBe('ALIVE');
  await redis.client.zadd(keys.workers, 1, 'm');
  await redis.client.rpush(proc, 'work');
  expect(await forget()).toBe('BUSY');
  await redis.client.del(proc);
  expect(await forget()).toBe('OK');
  expect(await redis.client.zcard(keys.workers)).toBe(0);
});

test('expire-one: not early, once, and never over a completion', async () => {
  const expire = async (id: string) =>
    word(
      await runScript(
        redis.client,
        'expire-one',
        [keys.live('interactive'), keys.completion(id), keys.none, keys.active],
        [id, 'late', '', 100],
      ),
    );
  await redis.client.zadd(
    'job:live',
    Date.now() + 5000,
    'young',
    Date.now() - 5000,
    'old',
    Date.now() - 5000,
    'ended',
  );
  await redis.client.set('job:completion:ended', 'answer');
  expect(await expire('young')).toBe('EARLY');
  expect(await expire('old')).toBe('OK');
  expect(await expire('old')).toBe('GONE');
  expect(await expire('ended')).toBe('OK');
  expect(await redis.client.get('job:completion:old')).toBe('late');
  expect(await redis.client.get('job:completion:ended')).toBe('answer');
  expect(await redis.client.zrange('job:live', 0, '-1')).toEqual(['young']);
});

test('a full Redis refuses to admit but what is owed, and still drains', async () => {
  const full = await startPrivateRedis({ args: ['--maxmemory', '3mb'] });
  const { Redis } = await import('ioredis');
  const client = new Redis(full.url);
  try {
    await runScript(
      client,
      'admit',
      ['job:live', list, 'job:llm_in', '', keys.active, keys.recent, keys.pool],
      ['a', Date.now() + 9000, 10, '{', '"id":"a"}', ''],
    );
    await runScript(client, 'claim', [list, proc], [1]);
    await client.config('SET', 'maxmemory', '1');
    const refused = runScript(
      client,
      'admit',
      ['job:live', list, 'job:llm_in', '', keys.active, keys.recent, keys.pool],
      ['b', 1, 10, '{', '"id":"b"}', ''],
    );
    await expect(refused).rejects.toThrow('OOM');
    const part = ['b', Date.now() + 9000, '{"id":"b"}', 'HEAD'] as const;
    const owed = () => runScript(client, 'admit-owed', ['job:live', list, keys.completion('b')], [...part]);
    expect(word(await owed())).toBe('OK');
    expect(word(await owed())).toBe('DUP');
    expect(await client.lrange(list, 0, -1)).toEqual(['{"id":"b"}']);
    const handed = await runScript(client, 'handoff', [proc, next], ['{"id":"a"}', 'new']);
    expect(word(handed)).toBe('OK');
    expect(await client.lrange(next, 0, -1)).toEqual(['new']);
  } finally {
    client.disconnect();
    await full.stop();
  }
});
