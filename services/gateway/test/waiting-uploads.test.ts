import { problem, uploadAccepted } from '@vortex/contracts';
import { QueueUnavailable } from '@vortex/queue';
import { expect, it } from 'vitest';
import { type GatewayUnderTest, gatewayUnderTest } from './gateway-under-test.ts';

/** Documents beyond their tenant's window. A worker of 2 slots: 3 are released at once. */
async function gatewayOfFewSlots(settings = {}): Promise<GatewayUnderTest> {
  const gateway = await gatewayUnderTest(settings);
  await gateway.registry.noteUploadWorker('worker', 2);
  return gateway;
}

const bring = (gateway: GatewayUnderTest, number: number) =>
  gateway.post('/api/documents', { title: `Note ${number}`, text: `Note ${number} says so.` });

async function bringMany(gateway: GatewayUnderTest, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let number = 0; number < count; number += 1) {
    const response = await bring(gateway, number);
    expect(response.status).toBe(202);
    ids.push(uploadAccepted.parse(await response.json()).job_id ?? '');
  }
  return ids;
}

const queuedIds = ({ queue }: GatewayUnderTest) => queue.submitted.map(({ id }) => id);

it('are accepted and wait in the registry; an end lets the oldest on the list with the next acceptance', async () => {
  const gateway = await gatewayOfFewSlots();
  const ids = await bringMany(gateway, 5);
  expect(queuedIds(gateway)).toEqual(ids.slice(0, 3));
  expect(await gateway.registry.countWaitingJobs()).toBe(2);
  await gateway.registry.endJob(ids[0] ?? '', 'failed', { code: 'internal', message: 'x' });
  await bring(gateway, 9);
  expect(queuedIds(gateway)).toEqual(ids.slice(0, 4));
});

it('are refused beyond max_live_documents, and nothing of them is kept', async () => {
  const gateway = await gatewayOfFewSlots({ max_live_documents: 4 });
  await bringMany(gateway, 4);
  const response = await bring(gateway, 4);
  expect(response.status).toBe(503);
  expect(problem.parse(await response.json())).toMatchObject({ code: 'queue_full' });
  expect(await gateway.registry.countOpenJobs()).toBe(4);
  expect(await gateway.registry.listDocuments('default')).toHaveLength(4);
});

it('are accepted while Redis is away, for it is not needed yet', async () => {
  const gateway = await gatewayOfFewSlots();
  const ids = await bringMany(gateway, 3);
  gateway.queue.admit = async () => {
    throw new QueueUnavailable('the queue did not take the job: Redis is down', null);
  };
  expect((await bring(gateway, 7)).status).toBe(202);
  // One that is released meanwhile is for the sweeper.
  await gateway.registry.endJob(ids[0] ?? '', 'failed', { code: 'internal', message: 'x' });
  expect((await bring(gateway, 8)).status).toBe(202);
  expect(await gateway.registry.countOpenJobs()).toBe(4);
});

it('wait as well when they are run again', async () => {
  const gateway = await gatewayOfFewSlots();
  const ids = await bringMany(gateway, 4);
  await gateway.registry.endJob(ids[3] ?? '', 'failed', { code: 'internal', message: 'x' });
  const response = await gateway.post(`/api/jobs/${ids[3]}/retry`, {});
  expect(response.status).toBe(202);
  expect(queuedIds(gateway)).toEqual(ids.slice(0, 3));
  expect(await gateway.registry.getJob('default', ids[3] ?? '')).toMatchObject({ turn: 'waiting' });
});
