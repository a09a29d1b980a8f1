import { StageFailure } from '@vortex/contracts';
import { createInspector, defaultBreakerRules, keys, reportReplica } from '@vortex/queue';
import { until } from '@vortex/testkit';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { createReplicaHealth, type StageHandler } from '../src/index.ts';
import {
  anAnswer,
  generateEnvelope,
  openWorkbench,
  question,
  vector,
  type Workbench,
} from './stage-bench.ts';

let bench: Workbench;
beforeAll(async () => {
  bench = await openWorkbench('breaker');
});
afterEach(() => bench.clear());
afterAll(() => bench.close());

const slots = 4;
const url = (number: number) => `http://127.0.0.1:92${number}`;
const list = (number: number) => `job:llm_in:llm_${number}`;
const candidates = [1, 2].map((number) => ({ url: url(number), workerName: `llm_${number}`, slots }));

/** A generator whose every call of its language model goes as `fails` says. */
async function startGenerator(number: number, fails: () => boolean): Promise<string[]> {
  const ran: string[] = [];
  const health = createReplicaHealth({ workerName: `llm_${number}`, slots, leastMs: 2000 });
  const handler: StageHandler<'generate'> = async (input) => {
    ran.push(input.id);
    const call = health.begin(input);
    if (fails()) {
      call.end('failed');
      throw new StageFailure('generator_failed', 'the model failed');
    }
    call.end('ok');
    return { kind: 'done', result: { ...anAnswer(input.id), worker: `llm_${number}` } };
  };
  await bench.start(
    { generate: { handler, slots } },
    {
      workerName: `llm_${number}`,
      replica: { url: url(number), slots, health },
      beatMs: 100,
      leaseMs: 60_000,
    },
  );
  return ran;
}

/** Into its breaker's entry, as five failures would write it. */
const open = (number: number) =>
  reportReplica(bench.redis.client, {
    url: url(number),
    list: list(number),
    notes: { worker_name: `llm_${number}`, slots, ok: 0, failed: 5, streak: 5, begun: 0 },
    rules: { ...defaultBreakerRules, open_ms: 3_600_000, max_open_ms: 3_600_000 },
  });
const stateOf = async (number: number) => {
  const inspector = createInspector(bench.redis);
  await until('the inspector is connected', () => inspector.ping());
  const found = (await inspector.replicas()).find((replica) => replica.url === url(number));
  inspector.close();
  return found?.breaker.state;
};
const ask = (id: string, to?: number) =>
  question(id, {
    list: to === undefined ? 'job:llm_in' : list(to),
    envelope: generateEnvelope(id),
  });
const bothReport = () =>
  until('both have reported', async () => (await bench.redis.client.hlen(keys.pool)) === 3);

test('a replica that fails at once is out, and all it had is answered by the other', async () => {
  await startGenerator(1, () => true);
  const ran = await startGenerator(2, () => false);
  await bothReport();
  const submitter = await bench.submitter();
  const answers = await Promise.all(
    Array.from({ length: 16 }, (_, number) => submitter.submit({ ...ask(`q${number}`), candidates })),
  );
  expect(answers.map((text) => JSON.parse(text).worker)).toEqual(Array(16).fill('llm_2'));
  expect(new Set(ran).size).toBe(16);
  await until('its breaker is open', async () => (await stateOf(1)) === 'open');
});

test('an open replica pulls nothing from the shared list, and returns what still comes to its own', async () => {
  const bad = await startGenerator(1, () => false);
  const good = await startGenerator(2, () => false);
  await bothReport();
  await open(1);
  const submitter = await bench.submitter();
  // Its process hears of the breaker with its next report; until then it answers a few more.
  await until('it has heard', async () => {
    bad.length = 0;
    await Promise.all(
      Array.from({ length: 4 }, (_, n) => submitter.submit(ask(`w${n}-${performance.now()}`))),
    );
    return bad.length === 0;
  });
  good.length = 0;
  const asked = [1, 2, 3].map((number) => submitter.submit(ask(`own${number}`, 1)));
  await Promise.all([...asked, submitter.submit(ask('shared'))]);
  expect(bad).toEqual([]);
  expect(new Set(good)).toEqual(new Set(['own1', 'own2', 'own3', 'shared']));
  expect(await bench.redis.client.exists(list(1), 'job:llm_in')).toBe(0);
});

test('retries beyond the budget end as generator_failed', async () => {
  await startGenerator(1, () => true);
  await until('it has reported', async () => (await bench.redis.client.hlen(keys.pool)) === 2);
  await bench.redis.client.hset(keys.pool, 'budget', '0');
  const submitter = await bench.submitter();
  const { error, attempt } = JSON.parse(await submitter.submit(ask('broke')));
  expect([error.code, attempt]).toEqual(['generator_failed', 1]);
  expect(await bench.redis.client.llen('job:llm_in:dead')).toBe(1);
});

test('batch jobs get a part of the slots, and wait apart from the others', async () => {
  const ends: (() => void)[] = [];
  const begun: string[] = [];
  const handler: StageHandler<'generate'> = (input) =>
    new Promise((resolve) => {
      begun.push(input.id);
      ends.push(() => resolve({ kind: 'done', result: anAnswer(input.id) }));
    });
  await bench.start(
    {
      encode: {
        handler: async ({ query }) => ({
          kind: 'forward',
          to: 'retrieve',
          payload: { query, embedding: vector },
        }),
        slots: 8,
      },
      retrieve: {
        handler: async ({ id }) => ({ kind: 'forward', to: 'generate', payload: generateEnvelope(id) }),
        slots: 8,
      },
      generate: { handler, slots },
    },
    { workerName: 'llm_1', replica: { url: url(1), slots }, beatMs: 100, leaseMs: 60_000 },
  );
  const submitter = await bench.submitter();
  const later = Array.from({ length: 5 }, (_, number) =>
    submitter.submit(question(`later${number}`, { envelope: { query: 'x', class: 'batch' } })),
  );
  // 0.7 of four slots.
  await until('two run and three wait', async () => {
    return begun.length === 2 && (await bench.redis.client.llen(keys.batchGeneratorList)) === 3;
  });
  const now = [1, 2].map((number) => submitter.submit(question(`now${number}`)));
  await until('those who wait for them run', () => begun.length === 4);
  expect(begun.slice(2).sort()).toEqual(['now1', 'now2']);
  expect(await bench.redis.client.llen(keys.batchGeneratorList)).toBe(3);
  await until('all have ended', async () => {
    for (const end of ends.splice(0)) end();
    return (await bench.redis.client.zcard('job:live')) === 0;
  });
  await Promise.all([...later, ...now]);
  expect(begun.slice(4).sort()).toEqual(['later2', 'later3', 'later4']);
});
