import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { createMetrics, silentLogger } from '@vortex/observability';
import { createSubmitter, keys, scriptNames, scriptText, workerMember } from '@vortex/queue';
import {
  type CommandProxy,
  openCommandProxy,
  openTestRedis,
  type Strike,
  type TestRedis,
  until,
} from '@vortex/testkit';
import { Redis } from 'ioredis';
import { beforeAll, expect, inject, test } from 'vitest';
import { type RunningStages, type RunStagesOptions, runStages } from '../src/index.ts';
import { anAnswer, question, vector } from './stage-bench.ts';

/**
 * A worker's life ends before or after each of its calls to Redis, of every verb, or only the connection does; what
 * it leaves is taken over. Enumerated: of each verb the first call, the second … until a life passes without reaching
 * it. A life is one small load that makes the runtime use every verb that a worker has: a question through three
 * stages, one that fails once, one that is refused, one that is running when the worker drains; ids, one of them
 * over; and the estate of a worker, a replica and a job that died before. Afterwards the dead one comes back, as a
 * frozen one would, and must change nothing.
 *
 * Verbs that time sends come again for ever: of those the first five. `./vortex test` takes the first call of each
 * verb; VORTEX_CRASH_POINTS=all takes all of them, and cut connections too.
 *
 * Over 300 lines: a life, its load, its estate and what is due of them afterwards only make sense beside each other.
 */
const timed = [
  'BLMOVE',
  'claim',
  'LLEN',
  'LRANGE',
  'EXISTS',
  'ZRANGE',
  'INFO',
  'SELECT',
  'CLIENT SETNAME',
  'CLIENT ID',
].concat(['beat', 'overdue', 'renew-leases', 'SCAN', 'SSCAN', 'adopt-orphan']);
const timedCalls = 5;
const takesAll = process.env.VORTEX_CRASH_POINTS === 'all';
const strikes: Strike[] = takesAll ? ['before', 'after', 'cut'] : ['before', 'after'];
/** Lives that are lived at once: they mostly wait for a beat, or for what was put aside. */
const atOnce = 10;
const url = 'http://127.0.0.1:9199';
const lists = [
  'job:encoder_in',
  'job:retriever_in',
  'job:llm_in',
  'job:llm_in:crash_1',
  'queue:document_upload',
];
const names = ['plain', 'again', 'refused', 'held'];
const shas = new Map(
  scriptNames.map((name) => [createHash('sha1').update(scriptText(name)).digest('hex'), name] as const),
);

beforeAll(async () => {
  const client = new Redis(inject('redisUrl'));
  for (const name of scriptNames) await client.script('LOAD', scriptText(name));
  await client.quit();
});

interface Life {
  verb: string;
  number: number;
  how: Strike;
}

interface Verdict {
  struck: boolean;
  counts: ReadonlyMap<string, number>;
  /** What does not hold. */
  wrong: string[];
}

const forGenerator = (id: string) => ({
  query: id,
  collection: 'default',
  messages: [{ role: 'user' as const, content: id }],
  sources: [],
});

/** The stages, and what the registry knows; shared by the worker and its heir, as a database would be. */
function makeLanes(holds: () => boolean): RunStagesOptions['lanes'] {
  const failedOnce = new Set<string>();
  const done = new Set<string>(['job_over']);
  const deliveries = new Map<string, number>();
  const failFirst = (id: string) => {
    if (failedOnce.has(id)) return;
    failedOnce.add(id);
    throw new Error('the first try fails');
  };
  return {
    encode: {
      slots: 4,
      async handler({ id, query }) {
        if (id.endsWith('refused'))
          return { kind: 'reject', code: 'collection_not_found', reason: 'as was asked' };
        return { kind: 'forward', to: 'retrieve', payload: { query, embedding: vector } };
      },
    },
    retrieve: {
      slots: 4,
      async handler({ id }, { emit }) {
        emit({ kind: 'delta', text: 'so far' });
        if (id.endsWith('again')) failFirst(id);
        return { kind: 'forward', to: 'generate', payload: forGenerator(id) };
      },
    },
    generate: {
      slots: 4,
      async handler({ id }, { signal }) {
        if (id.endsWith('held') && holds()) {
          await new Promise((_resolve, reject) => {
            signal.addEventListener('abort', () => reject(signal.reason), { once: true });
          });
        }
        return { kind: 'done', result: anAnswer(id) };
      },
    },
    upload: {
      slots: 4,
      async handler({ id }) {
        if (id === 'job_again') failFirst(id);
        done.add(id);
        const result = { document_id: id, external_id: id, collection: 'default', chunk_count: 1 };
        return { kind: 'done', result: { ...result, processing_time_ms: 1 } };
      },
      async resolve(id) {
        if (done.has(id)) return { over: true, ended: 'completed' };
        deliveries.set(id, (deliveries.get(id) ?? 0) + 1);
        return { tenant: 'default', attempt: 1, redelivered: (deliveries.get(id) ?? 1) - 1 };
      },
      async onRetry(id) {
        deliveries.delete(id);
      },
      async onRelease(id) {
        deliveries.delete(id);
      },
      async onEnd(id) {
        done.add(id);
      },
    },
  };
}

function start(redis: { url: string }, lanes: RunStagesOptions['lanes']): Promise<RunningStages> {
  return runStages({
    service: 'crash',
    workerName: 'crash_1',
    redis,
    log: silentLogger,
    metrics: createMetrics('crash'),
    lanes,
    replica: { url, slots: 4 },
    drainBudgetMs: 50,
    // Longer than any life: what time does to the leases of the dead is done here, as soon as they are dead.
    leaseMs: 600_000,
    beatMs: 300,
    caretakerMs: 20,
  });
}

async function live(life: Life | undefined): Promise<Verdict> {
  const redis = await openTestRedis();
  const proxy = await openCommandProxy(redis.url, shas);
  const submitter = createSubmitter({
    redis,
    name: `crash-${process.pid}-${redis.url.split('/').at(-1)}`,
    checkMs: 100,
    caretaker: { tickMs: 0 },
  });
  const deadMembers = new Set([workerMember('job:retriever_in', 'unknown')]);
  const lapse = async () => {
    for (const member of deadMembers) await redis.client.zadd(keys.workers, 'XX', 1, member);
  };
  let heirComes = false;
  const lanes = makeLanes(() => !heirComes);
  let heir: RunningStages | undefined;
  try {
    await submitter.start();
    await until('the submitter is ready', () => submitter.isReady(), 20_000);
    await leaveAnEstate(redis);
    if (life !== undefined) proxy.strikeAt(life.verb, life.number, life.how);
    const worker = await start({ url: proxy.url }, lanes);
    await until(
      'the worker is ready, or dead',
      () => worker.readiness().ready || isDead(proxy, life),
      20_000,
    );

    const candidates = [{ url, workerName: 'crash_1', slots: 4 }];
    const answers = names.map((id) =>
      submitter.submit(
        question(id, { candidates, ...(id === 'again' && { track: { type: 'query', tenant: 'default' } }) }),
      ),
    );
    for (const id of ['job_plain', 'job_again', 'job_over']) {
      const document = { list: 'queue:document_upload', lane: 'low', envelope: 'bare' } as const;
      await submitter.enqueue(
        question(id, { ...document, track: { type: 'document_upload', tenant: 'default' } }),
      );
    }
    const ends = new Map<string, string>();
    for (const [place, answer] of answers.entries()) {
      void answer.then((text) => ends.set(names[place] ?? '', JSON.parse(text).status));
    }
    await until(
      'all but the held one has ended, or the worker is dead',
      async () => {
        await lapse();
        return (ends.size === 3 && (await left(redis)) === 1) || isDead(proxy, life);
      },
      30_000,
    );
    let hasStopped = false;
    const stopped = worker.stop().finally(() => {
      hasStopped = true;
    });
    while (!hasStopped && !isDead(proxy, life)) await delay(5);
    heirComes = true;
    if (isDead(proxy, life)) {
      for (const member of await lastWordOf(redis)) deadMembers.add(member);
    }
    heir = await start(redis, lanes);
    const over = async () => {
      await lapse();
      return ends.size === names.length && (await left(redis)) === 0;
    };
    await until('every question is answered and nothing is left', over, 45_000).catch(() => undefined);
    proxy.revive();
    await stopped;
    const wrong = await whatIsWrong(redis, ends);
    return { struck: proxy.hasStruck(), counts: new Map(proxy.counts()), wrong };
  } finally {
    proxy.revive();
    await heir?.stop();
    await submitter.close();
    await proxy.close();
    await redis.close();
  }
}

/** What the dead one holds; its leases on the replica lapse here, so that what the heir takes is the heir's. */
async function lastWordOf({ client }: TestRedis): Promise<string[]> {
  // What it had sent when it died is read by the time the second of these is answered.
  await client.ping();
  await client.ping();
  for (const id of await client.zrange(keys.leases(url), '0', '-1'))
    await client.zadd(keys.leases(url), 'XX', 1, id);
  return client.zrange(keys.workers, '0', '-1');
}

const isDead = (proxy: CommandProxy, life: Life | undefined) =>
  life !== undefined && life.how !== 'cut' && proxy.hasStruck();

/** What others died of before: a job in a dead worker's hands, one in a list without an owner, one of a replica. */
async function leaveAnEstate({ client }: TestRedis): Promise<void> {
  const gone = 'http://127.0.0.1:9198';
  const envelope = (id: string) => JSON.stringify({ id, v: 1, query: id, deadline_at: Date.now() + 60_000 });
  await client.rpush(keys.inFlight('job:encoder_in', 'gone'), envelope('estate-worker'));
  await client.zadd(keys.workers, 1, workerMember('job:encoder_in', 'gone'));
  await client.rpush(
    keys.inFlight('job:retriever_in', 'unknown'),
    JSON.stringify({ ...JSON.parse(envelope('estate-orphan')), embedding: vector }),
  );
  await client.hset(keys.replica(gone), {
    worker_name: 'gone',
    slots: 1,
    state: 'up',
    list: 'job:llm_in:gone',
    until: 1,
  });
  await client.zadd(keys.replicas, 1, gone);
  await client.zadd(keys.leases(gone), 1, 'estate-replica');
  await client.set(keys.load(gone), 1);
  await client.rpush(
    'job:llm_in:gone',
    JSON.stringify({ ...JSON.parse(envelope('estate-replica')), ...forGenerator('estate-replica') }),
  );
  await client.zadd(keys.live('interactive'), Date.now() - 60_000, 'estate-overdue');
  await client.sadd(keys.active, 'estate-untold');
}

/** Elements in lists, in flight and put aside. */
async function left({ client }: TestRedis): Promise<number> {
  const inFlight = await client.keys('*:proc:*');
  const lengths = [...lists, 'job:llm_in:gone', ...inFlight].map((list) => client.llen(list));
  const aside = lists.map((list) => client.zcard(keys.retry(list)));
  return (await Promise.all([...lengths, ...aside])).reduce((sum, length) => sum + length, 0);
}

async function whatIsWrong(redis: TestRedis, ends: ReadonlyMap<string, string>): Promise<string[]> {
  const { client } = redis;
  const wrong: string[] = [];
  const expect = (what: string, is: unknown, due: unknown) => {
    if (JSON.stringify(is) !== JSON.stringify(due)) wrong.push(`${what}: ${JSON.stringify(is)}`);
  };
  const completion = async (id: string) => JSON.parse((await client.get(keys.completion(id))) ?? '{}').status;
  for (const id of names) {
    expect(`the end of ${id}`, ends.get(id), id === 'refused' ? 'failed' : 'completed');
    expect(`the completion of ${id}`, await completion(id), ends.get(id));
  }
  for (const id of ['estate-worker', 'estate-orphan', 'estate-replica'])
    expect(`the completion of ${id}`, await completion(id), 'completed');
  expect('the overdue one', await completion('estate-overdue'), 'deadline_exceeded');
  for (const id of ['job_plain', 'job_again', 'job_over'])
    expect(`the status of ${id}`, await client.hget(keys.job(id), 'status'), 'completed');
  expect('elements left', await left(redis), 0);
  expect('live', await client.zrange(keys.live('interactive'), '0', '-1'), []);
  expect('live low', await client.zrange(keys.live('low'), '0', '-1'), []);
  expect(
    'dead letters',
    (await Promise.all(lists.map((list) => client.llen(keys.dead(list))))).join(''),
    '10000',
  );
  await until('open tracked jobs are none', async () => (await client.scard(keys.active)) === 0).catch(
    async () => expect('active', await client.smembers(keys.active), []),
  );
  await until('loads are 0', async () => (await client.get(keys.load(url))) === '0').catch(async () =>
    expect('load', [await client.get(keys.load(url)), await client.zrange(keys.leases(url), '0', '-1')], []),
  );
  return wrong;
}

/** What a worker must have used in a life, or the enumeration says less than it claims. */
const ofEveryLife = [
  ...[
    'BLMOVE',
    'adopt-orphan',
    'beat',
    'begin',
    'bury',
    'claim',
    'expire-one',
    'finish',
    'forget-worker',
    'give-back',
  ],
  ...[
    'handoff',
    'leave',
    'overdue',
    'promote',
    'reap-one',
    'renew-leases',
    'retry',
    'return-list',
    'start-lease',
  ],
  ...['sweep-active', 'sweep-replica'],
];

test('at every call of every verb a worker may die, and all ends once', { timeout: 900_000 }, async () => {
  const { wrong, counts } = await live(undefined);
  expect(wrong).toEqual([]);
  expect([...counts.keys()]).toEqual(expect.arrayContaining(ofEveryLife));

  const broken: string[] = [];
  const deaths = new Map<string, number>();
  const enumerations = [...counts.keys()].flatMap((verb) => strikes.map((how) => ({ verb, how })));
  async function enumerate(): Promise<void> {
    for (let next = enumerations.shift(); next !== undefined; next = enumerations.shift()) {
      const { verb, how } = next;
      const last = takesAll ? (timed.includes(verb) ? timedCalls : Number.POSITIVE_INFINITY) : 1;
      for (let number = 1; number <= last; number += 1) {
        const verdict = await live({ verb, number, how });
        const name = `${how} ${verb} ${number}`;
        for (const fault of verdict.wrong) broken.push(`${name}: ${fault}`);
        if (!verdict.struck) break;
        deaths.set(verb, (deaths.get(verb) ?? 0) + 1);
      }
    }
  }
  await Promise.all(Array.from({ length: atOnce }, enumerate));
  expect(broken).toEqual([]);
  expect([...deaths.keys()]).toEqual(expect.arrayContaining(ofEveryLife));
  if (takesAll)
    console.log(`crash points: ${[...deaths].map(([verb, number]) => `${verb} ${number}`).join(', ')}`);
});
