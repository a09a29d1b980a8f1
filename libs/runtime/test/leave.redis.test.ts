import { stages } from '@vortex/contracts';
import { keys } from '@vortex/queue';
import { until } from '@vortex/testkit';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { openWorkbench, question, type Workbench } from './stage-bench.ts';

/** `leave`: the queue lets go of a job without an end, for it is held elsewhere and comes again. */
let bench: Workbench;
beforeAll(async () => {
  bench = await openWorkbench('leave');
});
afterEach(() => bench.clear());
afterAll(() => bench.close());

const { list } = stages.ingest;
const document = (id: string) =>
  question(id, {
    ...{ list, lane: 'low' },
    envelope: { user_id: 'u', document_id: id, content: 'A stage.' },
    track: { type: 'ingest', tenant: 'default' },
  });

test('it is in no list and not live when `onLeft` is called, shown as queued, and may be admitted again', async () => {
  const { client } = bench.redis;
  const left: unknown[] = [];
  let runs = 0;
  const seen = async () => ({
    places: [await client.llen(list), (await client.keys(`${list}:proc:*`)).length],
    isLive: (await client.zscore(keys.live('low'), 'job_a')) !== null,
    completion: await client.get(keys.completion('job_a')),
    active: await client.sismember(keys.active, 'job_a'),
  });
  const worker = await bench.start({
    ingest: {
      slots: 1,
      handler: async () => {
        runs += 1;
        return { kind: 'leave', onLeft: () => void seen().then((now) => left.push(now)) };
      },
    },
  });
  const submitter = await bench.submitter();
  await submitter.enqueue(document('job_a'));
  await until('it has left', () => left.length === 1);
  expect(left).toEqual([{ places: [0, 0], isLive: false, completion: null, active: 0 }]);
  expect(await client.hgetall(keys.job('job_a'))).toMatchObject({ id: 'job_a', status: 'queued' });
  expect(await client.llen(keys.dead(list))).toBe(0);
  await submitter.enqueue(document('job_a'));
  await until('it has come again', () => left.length === 2);
  expect(runs).toBe(2);
  await worker.stop();
});
