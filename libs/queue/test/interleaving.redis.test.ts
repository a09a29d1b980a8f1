import { openTestRedis, type TestRedis } from '@vortex/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { holdsIds, keys, runScript, texts, workerMember } from '../src/index.ts';

/**
 * Random interleavings of the scripts by three workers, a reaper and two admitters, with stale repeats of
 * settles that already went out (a lost reply, a frozen worker). After every step the one rule of the
 * queue must hold: an admitted id is in exactly one place, among the lists, the in-flight lists, the retry
 * set, the dead list and the completions. Every second seed has a second list of bare ids, where a stale repeat
 * cannot be told from a fresh settle by the element's bytes, and tracks its jobs: then the set of open jobs
 * must say the same as the places. A failing seed is printed; replay it with VORTEX_SEED.
 */
let redis: TestRedis;
beforeAll(async () => {
  redis = await openTestRedis();
});
afterAll(() => redis.close());

const first = 'job:encoder_in';
let second = 'job:retriever_in';
const workers = ['w1', 'w2', 'w3'];
const stepsPerSeed = 150;
const seeds = process.env.VORTEX_SEED
  ? [Number(process.env.VORTEX_SEED)]
  : Array.from({ length: 12 }, (_, seed) => seed + 1);

/** mulberry32: small, seeded, good enough to choose steps. */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

const idOf = (element: string): string => (element.startsWith('{') ? JSON.parse(element).id : element);

/** As a settle writes it anew: another version of an envelope, an id as it is. */
function changed(list: string, element: string, version: number): string {
  return holdsIds(list) ? idOf(element) : JSON.stringify({ ...JSON.parse(element), version });
}

async function places(): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>();
  const add = (id: string, place: string) => found.set(id, [...(found.get(id) ?? []), place]);
  for (const list of [first, second]) {
    for (const element of await redis.client.lrange(list, 0, -1)) add(idOf(element), list);
    for (const element of await redis.client.zrange(keys.retry(list), 0, '-1'))
      add(idOf(element), keys.retry(list));
    for (const letter of await redis.client.lrange(keys.dead(list), 0, -1)) add(letter, keys.dead(list));
    for (const wid of workers) {
      for (const element of await redis.client.lrange(keys.inFlight(list, wid), 0, -1))
        add(idOf(element), keys.inFlight(list, wid));
    }
  }
  // A buried job has a completion too, by design; the letter is its place.
  const dead = new Set(
    await Promise.all([first, second].map((list) => redis.client.lrange(keys.dead(list), 0, -1))).then(
      (all) => all.flat(),
    ),
  );
  for (const key of await redis.client.keys('job:completion:*')) {
    const id = key.slice('job:completion:'.length);
    if (!dead.has(id)) add(id, 'completed');
  }
  return found;
}

test.each(seeds)('seed %i: every admitted id is in exactly one place after every step', async (seed) => {
  await redis.client.flushdb();
  const tracked = seed % 2 === 1;
  second = tracked ? 'queue:document_upload' : 'job:retriever_in';
  const jobKey = (id: string) => (tracked ? keys.job(id) : keys.none);
  const ended = tracked ? '{"status":"failed","completed_at":"now"}' : '';
  const random = randomOf(seed);
  const pick = <Item>(items: readonly Item[]): Item | undefined => items[Math.floor(random() * items.length)];
  const admitted = new Set<string>();
  const sentSettles: (() => Promise<unknown>)[] = [];
  const client = redis.client;
  let version = 0;

  async function settleSomething(): Promise<void> {
    const list = pick([first, second]) ?? first;
    const wid = pick(workers) ?? 'w1';
    const proc = keys.inFlight(list, wid);
    const held = await client.lrange(proc, 0, -1);
    const old = pick(held);
    if (old === undefined) return;
    // Sometimes two jobs in one call, as a busy worker sends them.
    const other = random() < 0.4 ? pick(held.filter((element) => element !== old)) : undefined;
    const id = idOf(old);
    version += 1;
    const again = changed(list, old, version);
    const forwarded = changed(second, old, version);
    const otherForwarded = other === undefined ? '' : changed(second, other, version + 1000);
    const dice = random();
    const send = () => {
      if (dice < 0.45 && list === first) {
        return runScript(
          client,
          'handoff',
          [proc, second],
          [old, forwarded, ...(other ? [other, otherForwarded] : [])],
        );
      }
      if (dice < 0.7) {
        return runScript(
          client,
          'finish',
          [
            proc,
            'job:live',
            keys.inbox('gw'),
            keys.none,
            keys.none,
            keys.active,
            keys.completion(id),
            jobKey(id),
            ...(other ? [keys.completion(idOf(other)), jobKey(idOf(other))] : []),
          ],
          [old, id, 'done', ended, ...(other ? [other, idOf(other), 'done', ended] : [])],
        );
      }
      if (dice < 0.85) {
        return runScript(
          client,
          'retry',
          [proc, keys.retry(list), jobKey(id), keys.none, keys.none],
          [old, again, 0, id, tracked ? '{"status":"retrying"}' : ''],
        );
      }
      if (dice < 0.92) return runScript(client, 'give-back', [proc, list, keys.none, keys.none], [old, id]);
      return runScript(
        client,
        'bury',
        [
          proc,
          keys.dead(list),
          keys.completion(id),
          'job:live',
          keys.none,
          jobKey(id),
          keys.none,
          keys.none,
          keys.workers,
          keys.active,
          keys.deadSize(list),
        ],
        [old, id, id, 'failed', ended, ''],
      );
    };
    sentSettles.push(send);
    await send();
  }

  async function reapSomeone(): Promise<void> {
    const list = pick([first, second]) ?? first;
    const wid = pick(workers) ?? 'w1';
    const proc = keys.inFlight(list, wid);
    const member = workerMember(list, wid);
    await client.zadd(keys.workers, random() < 0.8 ? 1 : Date.now() + 60_000, member);
    for (const old of await client.lrange(proc, 0, -1)) {
      version += 1;
      const end = random() < 0.5 ? 'HEAD' : 'TAIL';
      await runScript(
        client,
        'reap-one',
        [keys.workers, proc, list, keys.none, keys.none],
        [member, old, changed(list, old, version), end, idOf(old)],
      );
    }
  }

  for (let step = 0; step < stepsPerSeed; step += 1) {
    const dice = random();
    if (dice < 0.25) {
      const id = `${seed}-${Math.floor(random() * 40)}`;
      // An id that has ended is not admitted again: its waiter has its answer.
      if ((await client.exists(keys.completion(id))) === 0) {
        await runScript(
          client,
          'admit',
          ['job:live', first, keys.sharedGeneratorList, jobKey(id), keys.active, keys.recent],
          [id, Date.now() + 60_000, 100, '{', `"id":"${id}"}`, tracked ? '["status","queued"]' : ''],
        );
        admitted.add(id);
      }
    } else if (dice < 0.5) {
      const list = pick([first, second]) ?? first;
      const wid = pick(workers) ?? 'w1';
      await runScript(client, 'claim', [list, keys.inFlight(list, wid)], [1 + Math.floor(random() * 3)]);
    } else if (dice < 0.8) await settleSomething();
    else if (dice < 0.88) await pick(sentSettles)?.();
    else if (dice < 0.95) await reapSomeone();
    else
      for (const list of [first, second]) await runScript(client, 'promote', [keys.retry(list), list], [16]);

    const found = await places();
    const wrong = [...admitted].filter((id) => found.get(id)?.length !== 1).map((id) => [id, found.get(id)]);
    expect(wrong, `seed ${seed}, step ${step}`).toEqual([]);
  }
  const live = new Set(texts((await client.callBuffer('ZRANGE', 'job:live', 0, -1)) as Buffer[]));
  expect(new Set(await client.smembers(keys.active))).toEqual(tracked ? live : new Set());
  const found = await places();
  for (const [id, [place]] of found)
    expect(live.has(id), id).toBe(place !== 'completed' && !place?.endsWith(':dead'));
});
