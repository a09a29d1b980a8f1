import { newId, stages } from '@vortex/contracts';
import type { JobRecord } from '@vortex/registry';
import { until } from '@vortex/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gate, type IngestBench, openIngestBench, sentences } from './ingest-bench.ts';

/**
 * Whose document is next, when one tenant brings many: by the order in which they begin, whatever the machine takes
 * for each. The worker has 4 slots: a tenant alone has 6 released, beside another that has none 3.
 */
let bench: IngestBench;
beforeEach(async () => {
  bench = await openIngestBench();
});
afterEach(() => bench.close());

const list = () => bench.redis.client.lrange(stages.upload.list, 0, -1);
const upload = (tenant: string, name: string) =>
  bench.upload({ tenant, name: `${name}.txt`, content: `${name}. ${sentences(3)}` });

async function uploads(tenant: string, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let number = 0; number < count; number += 1) ids.push(await upload(tenant, `${tenant}-${number}`));
  return ids;
}

/** Of documents of one chunk: in the order in which they were embedded. */
async function orderOf(ids: readonly string[]): Promise<JobRecord[]> {
  const jobs = await Promise.all(ids.map((id) => bench.ended(id)));
  for (const job of jobs) expect(job).toMatchObject({ status: 'completed', retryCount: 0 });
  const place = (job: JobRecord) => bench.embedded.findIndex((one) => one.startsWith(`${job.documentId}:`));
  return jobs.toSorted((one, two) => place(one) - place(two));
}

describe('a tenant that brings many documents', () => {
  it('has a window of them on the list, and another’s document passes the others', async () => {
    const held = gate();
    bench.hooks.beforeEmbed = () => held.pass();
    await bench.startWorker();
    const loud = await uploads('loud', 40);
    await until('its slots are taken', () => held.arrived() === 4);
    expect(await list()).toHaveLength(2);
    expect(await bench.registry.countWaitingJobs()).toBe(34);
    const quiet = await upload('quiet', 'quiet');
    held.open();
    const order = await orderOf([...loud, quiet]);
    // Before it: those in hand and on the list, and at most what was released before it was known to share.
    expect(order.findIndex(({ id }) => id === quiet)).toBeLessThanOrEqual(6);
    expect(await bench.registry.countOpenJobs()).toBe(0);
  });

  it('shares with two others who bring many, each as much', async () => {
    const held = gate();
    bench.hooks.beforeEmbed = () => held.pass();
    await bench.startWorker();
    const ids = [...(await uploads('a', 30)), ...(await uploads('b', 30)), ...(await uploads('c', 30))];
    held.open();
    const order = (await orderOf(ids)).map(({ tenant }) => tenant);
    for (const tenant of ['a', 'b', 'c']) {
      // A third of 45 is 15; the first ones are of who came first.
      const count = order.slice(0, 45).filter((one) => one === tenant).length;
      expect(count, tenant).toBeGreaterThanOrEqual(9);
      expect(count, tenant).toBeLessThanOrEqual(23);
    }
  });

  it('does it on the light way too, and each document ends once', async () => {
    const held = gate();
    bench.hooks.beforeEmbed = () => held.pass();
    await bench.startWorker();
    const envelope = (tenant: string, name: string) => ({
      ...{ id: newId('job'), tenant, user_id: 'u', document_id: name },
      content: `${name}. ${sentences(3)}`,
    });
    const loud = Array.from({ length: 30 }, (_, number) => envelope('loud', `loud-${number}`));
    for (const one of loud) await bench.redis.client.rpush(stages.ingest.list, JSON.stringify(one));
    await until('they wait in the registry', async () => (await bench.registry.countWaitingJobs()) === 24);
    const quiet = envelope('quiet', 'quiet');
    await bench.redis.client.rpush(stages.ingest.list, JSON.stringify(quiet));
    await until('it is accepted', () => bench.registry.tenantOfJob(quiet.id));
    held.open();
    const order = await orderOf([...loud, quiet].map(({ id }) => id));
    expect(order.findIndex(({ id }) => id === quiet.id)).toBeLessThanOrEqual(7);
    expect(bench.embedded).toHaveLength(31);
    await until(
      'nothing is left in the queue',
      async () => (await bench.redis.client.zcard('job:live:low')) === 0,
    );
  });

  it('loses none of them when Redis is wiped, and none that was released and not pushed', async () => {
    const held = gate();
    bench.hooks.beforeEmbed = () => held.pass();
    const worker = await bench.startWorker({ sweepMs: 600_000 });
    const loud = await uploads('loud', 12);
    await until('its slots are taken', () => held.arrived() === 4);
    await bench.redis.client.flushdb();
    // Whoever released them died before they were on the list.
    await bench.registry.noteUploadWorker('another', 2);
    expect(await bench.registry.releaseJobs()).toHaveLength(3);
    for (const id of loud) bench.age(id);
    expect(await worker.sweeper.sweep()).toBe(5);
    expect(await list()).toHaveLength(5);
    held.open();
    await orderOf(loud);
    // What the wiped encoder's list held was sent again; nothing was read again.
    expect(bench.parsed()).toHaveLength(12);
  });
});
