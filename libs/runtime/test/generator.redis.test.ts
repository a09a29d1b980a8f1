import { explainedEnd } from '@vortex/contracts';
import { createInspector, keys } from '@vortex/queue';
import { until } from '@vortex/testkit';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { NoteExplained, StageHandler } from '../src/index.ts';
import { anAnswer, generateEnvelope, openWorkbench, question, type Workbench } from './stage-bench.ts';

let bench: Workbench;
beforeAll(async () => {
  bench = await openWorkbench('llm');
});
afterEach(() => bench.clear());
afterAll(() => bench.close());

const url = (number: number) => `http://127.0.0.1:91${number}`;
const candidate = (number: number, slots = 4) => ({ url: url(number), workerName: `llm_${number}`, slots });
const load = (number: number) => bench.redis.client.get(keys.load(url(number)));

/** A generator whose runs end when told. */
function heldGenerator() {
  const runs: { id: string; end: (error?: Error) => void }[] = [];
  const handler: StageHandler<'generate'> = (input) =>
    new Promise((resolve, reject) => {
      runs.push({
        id: input.id,
        end: (error) => (error ? reject(error) : resolve({ kind: 'done', result: anAnswer(input.id) })),
      });
    });
  return { runs, handler };
}

const replicaOptions = (number: number, slots = 4) => ({
  workerName: `llm_${number}`,
  replica: { url: url(number), slots },
  beatMs: 100,
  leaseMs: 60_000,
});

/** Straight to the generator's list, as a retriever would hand it on. */
const generateJob = (id: string, number?: number) =>
  question(id, {
    list: number === undefined ? 'job:llm_in' : `job:llm_in:llm_${number}`,
    envelope: generateEnvelope(id),
    ...(number !== undefined && { candidates: [candidate(number)] }),
  });

test('the load is one per query from its reservation to its end, and 0 after', async () => {
  const { runs, handler } = heldGenerator();
  await bench.start({ generate: { handler, slots: 4 } }, replicaOptions(1));
  const submitter = await bench.submitter();
  await until('the replica is known', async () => (await load(1)) === '0');
  const answers = Promise.all([submitter.submit(generateJob('a', 1)), submitter.submit(generateJob('b', 1))]);
  await until('both run', () => runs.length === 2);
  expect(await load(1)).toBe('2');
  for (const run of runs) run.end();
  expect((await answers).map((text) => JSON.parse(text).answer).sort()).toEqual(['a', 'b']);
  expect(await load(1)).toBe('0');
  expect(await bench.redis.client.exists(keys.leases(url(1)))).toBe(0);
});

test('an unassigned query is pulled from the shared list, and the lease is on who runs it', async () => {
  const { runs, handler } = heldGenerator();
  await bench.start({ generate: { handler, slots: 4 } }, replicaOptions(1));
  const submitter = await bench.submitter();
  const answer = submitter.submit(generateJob('shared'));
  await until('it runs', () => runs.length === 1);
  await until('the lease is held', async () => (await load(1)) === '1');
  runs[0]?.end();
  await answer;
  expect(await load(1)).toBe('0');
});

test('a failed try gives up the lease and its replica, so that another may take the next', async () => {
  const first = heldGenerator();
  const stages = await bench.start({ generate: { handler: first.handler, slots: 1 } }, replicaOptions(1, 1));
  const submitter = await bench.submitter();
  await until('the replica is known', async () => (await load(1)) === '0');
  const answer = submitter.submit(generateJob('moving', 1));
  await until('it runs on the first', () => first.runs.length === 1);
  const second = heldGenerator();
  await bench.start({ generate: { handler: second.handler, slots: 1 } }, replicaOptions(2, 1));
  void stages.stop();
  first.runs[0]?.end(new Error('upstream refused'));
  await until('the second has it', () => second.runs.length === 1);
  expect(await load(1)).toBe('0');
  second.runs[0]?.end();
  const completion = JSON.parse(await answer);
  expect(completion).toMatchObject({ status: 'completed', attempt: 2 });
  // The failed try and its wait are a duration of their own, not left out of the account.
  expect(completion.timings_ms).toMatchObject({
    retry_generate: expect.any(Number),
    generate: expect.any(Number),
  });
  expect(await load(2)).toBe('0');
});

test('a query that was tried twice tells of the first try; one without troubles leaves its end to its gateway', async () => {
  const told: { id: string; part: string; story: object }[] = [];
  const explain: NoteExplained = ({ id }, part, tell) => void told.push({ id, part, story: tell() });
  let calls = 0;
  const handler: StageHandler<'generate'> = async ({ id }, context) => {
    if (id === 'twice') calls += 1;
    if (calls === 1) throw new Error('connection refused');
    context.explain(() => ({ made: id }));
    return { kind: 'done', result: anAnswer(id) };
  };
  await bench.start({ generate: { handler, slots: 2 } }, { ...replicaOptions(1), explain });
  const submitter = await bench.submitter();
  await submitter.submit(generateJob('usual'));
  await submitter.submit(generateJob('twice'));
  expect(told.filter(({ id }) => id === 'usual')).toEqual([
    { id: 'usual', part: 'generate', story: { made: 'usual' } },
  ]);
  const [made, end] = told.filter(({ id }) => id === 'twice');
  expect(made).toMatchObject({ part: 'generate' });
  expect(end?.part).toBe('end');
  expect(explainedEnd.parse(end?.story)).toMatchObject({
    ...{ status: 'completed', attempt: 2, redelivered: 0 },
    tries: [
      { kind: 'failed', stage: 'generate', worker: 'llm_1', replica: url(1), reason: 'connection refused' },
    ],
    timings_ms: { retry_generate: expect.any(Number), generate: expect.any(Number) },
  });
});

test('tries run out at the generator: the caller reads generator_failed', async () => {
  await bench.start(
    { generate: { handler: () => Promise.reject(new Error('connection refused')), slots: 1 } },
    replicaOptions(1),
  );
  const submitter = await bench.submitter();
  const completion = JSON.parse(await submitter.submit(generateJob('no-luck')));
  expect(completion).toMatchObject({
    status: 'failed',
    error: { code: 'generator_failed', stage: 'generate', retryable: true },
  });
  expect(await load(1)).toBe('0');
});

test('leases are renewed while a run lasts, and taken again when Redis was wiped', async () => {
  const { runs, handler } = heldGenerator();
  await bench.start({ generate: { handler, slots: 1 } }, replicaOptions(1));
  await bench.redis.client.rpush('job:llm_in', JSON.stringify({ id: 'long', ...generateEnvelope('long') }));
  await until('it runs', () => runs.length === 1);
  const score = async () => Number(await bench.redis.client.zscore(keys.leases(url(1)), 'long'));
  const before = await until('the lease', score);
  await until('renewed', async () => (await score()) > before);
  await bench.redis.client.del(keys.leases(url(1)));
  await until('taken again', score);
  await until('mirrored', async () => (await load(1)) === '1');
  runs[0]?.end();
  await bench.completion('long');
});

test('draining: announced, its own list returned, running work finished, the rest given back unblamed', async () => {
  const { runs, handler } = heldGenerator();
  const stages = await bench.start(
    { generate: { handler, slots: 2 } },
    { ...replicaOptions(1, 2), drainBudgetMs: 60_000 },
  );
  const submitter = await bench.submitter();
  await until('the replica is known', async () => (await load(1)) === '0');
  const waits = ['a', 'b', 'c'].map((id) =>
    submitter.submit({ ...generateJob(id, 1), candidates: [candidate(1, 8)] }),
  );
  await until('two run', () => runs.length === 2);
  await until('one waits in its list', async () => (await bench.redis.client.llen('job:llm_in:llm_1')) === 1);

  const stopped = stages.stop();
  const inspector = createInspector(bench.redis);
  await until('inspector', () => inspector.ping());
  await until('draining is seen', async () => (await inspector.replicas())[0]?.state === 'draining');
  await until('its list is returned', async () => (await bench.redis.client.llen('job:llm_in')) === 1);
  expect(stages.readiness()).toMatchObject({ ready: false, reasons: expect.arrayContaining(['draining']) });
  for (const run of runs) run.end();
  await stopped;
  expect((await inspector.replicas())[0]?.state).toBe('down');
  expect(await bench.redis.client.keys('*:proc:*')).toEqual([]);
  expect(await bench.redis.client.zcard('job:workers')).toBe(0);

  const heir = heldGenerator();
  await bench.start({ generate: { handler: heir.handler, slots: 2 } }, replicaOptions(2));
  await until('the third runs elsewhere', () => heir.runs.length === 1);
  heir.runs[0]?.end();
  const answers = (await Promise.all(waits)).map((text) => JSON.parse(text));
  expect(answers.map(({ attempt }) => attempt)).toEqual([1, 1, 1]);
  expect([await load(1), await load(2)]).toEqual(['0', '0']);
  inspector.close();
});

test('a drain whose budget ends gives running jobs back unblamed', async () => {
  const { runs, handler } = heldGenerator();
  const stages = await bench.start(
    { generate: { handler, slots: 2 } },
    { ...replicaOptions(1), drainBudgetMs: 50 },
  );
  const submitter = await bench.submitter();
  const wait = submitter.submit(generateJob('interrupted'));
  await until('it runs', () => runs.length === 1);
  await stages.stop();
  expect(JSON.parse((await bench.redis.client.lindex('job:llm_in', 0)) ?? '')).toMatchObject({
    id: 'interrupted',
  });
  expect(await load(1)).toBe('0');
  const heir = heldGenerator();
  await bench.start({ generate: { handler: heir.handler, slots: 2 } }, replicaOptions(2));
  await until('it runs elsewhere', () => heir.runs.length === 1);
  heir.runs[0]?.end();
  expect(JSON.parse(await wait)).toMatchObject({ status: 'completed', attempt: 1 });
});

test('a restarted replica of the same name and address takes over its list', async () => {
  const submitter = await bench.submitter();
  const wait = submitter.submit(
    question('inherited', { list: 'job:llm_in:llm_1', envelope: generateEnvelope('inherited') }),
  );
  const { runs, handler } = heldGenerator();
  await bench.start({ generate: { handler, slots: 1 } }, replicaOptions(1));
  await until('it runs', () => runs.length === 1);
  runs[0]?.end();
  expect(JSON.parse(await wait)).toMatchObject({ status: 'completed' });
});
