import { batchLists, batchSlots } from '@vortex/contracts';
import { until } from '@vortex/testkit';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { StageHandler } from '../src/index.ts';
import { hits, openWorkbench, question, vector, type Workbench } from './stage-bench.ts';

let bench: Workbench;
beforeAll(async () => {
  bench = await openWorkbench('batch');
});
afterEach(() => bench.clear());
afterAll(() => bench.close());

const batch = (id: string) =>
  question(id, { list: batchLists.encode, envelope: { query: id, class: 'batch' } });

test('of batch questions an encoder takes one at a time, and those who wait for theirs never stand behind them', async () => {
  const begun: string[] = [];
  const held: (() => void)[] = [];
  const encode: StageHandler<'encode'> = async ({ id, query }) => {
    begun.push(id);
    await new Promise<void>((resolve) => held.push(resolve));
    return { kind: 'forward', to: 'retrieve', payload: { query, embedding: vector } };
  };
  const passed: string[] = [];
  await bench.start({
    encode: { handler: encode, slots: 2 },
    retrieve: {
      handler: async ({ id }) => {
        passed.push(id);
        return { kind: 'done', result: hits };
      },
      slots: 2,
    },
  });
  const submitter = await bench.submitter();
  const later = ['l1', 'l2', 'l3'].map((id) => submitter.submit(batch(id)));
  const waiting = () => bench.redis.client.llen(batchLists.encode);
  await until('one runs, two wait', async () => begun.length === batchSlots && (await waiting()) === 2);
  const now = ['n1', 'n2'].map((id) => submitter.submit(question(id)));
  await until('both run', () => begun.length === 3);
  expect(begun).toEqual(['l1', ...begun.slice(1)]);
  expect(begun.slice(1).sort()).toEqual(['n1', 'n2']);
  expect(await waiting()).toBe(2);
  await until('all have ended', async () => {
    for (const end of held.splice(0)) end();
    return (await bench.redis.client.zcard('job:live')) === 0;
  });
  await Promise.all([...later, ...now]);
  expect(passed.sort()).toEqual(['l1', 'l2', 'l3', 'n1', 'n2']);
});

test('a batch question goes from list to list of its class, and its letter lies with those of the stage', async () => {
  await bench.start({
    encode: {
      handler: async ({ query }) => ({
        kind: 'forward',
        to: 'retrieve',
        payload: { query, embedding: vector },
      }),
      slots: 1,
    },
  });
  const submitter = await bench.submitter();
  void submitter.submit(batch('way')).catch(() => {});
  await until(
    'it waits for a retriever',
    async () => (await bench.redis.client.llen(batchLists.retrieve)) === 1,
  );
  expect(await bench.redis.client.llen('job:retriever_in')).toBe(0);
  await bench.redis.client.rpush(batchLists.encode, 'nobody can read this');
  await until('it is a letter', async () => (await bench.letters('job:encoder_in')).length === 1);
});
