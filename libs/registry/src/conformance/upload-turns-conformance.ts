import { describe, expect, it } from 'vitest';
import type { JobRecord } from '../jobs.ts';
import { workerSeenMs } from '../upload-turns.ts';
import { tenantSeenMs } from '../upload-window.ts';
import { finished, newDocument, type RegistryUnderTest, start } from './fixture-conformance.ts';

/** Slots of the only worker: alone a tenant has 6, beside one other 2 of its own and 3 while that has nothing. */
const slots = 4;
const error = { code: 'internal', message: 'the encoder is gone' };

export function uploadTurnsConformance(underTest: RegistryUnderTest): void {
  let number = 0;

  /** Accepts them one by one; resolves with those that were not released at once. */
  async function accept(tenant: string, count: number): Promise<{ id: string; isReleased: boolean }[]> {
    const accepted: { id: string; isReleased: boolean }[] = [];
    for (let one = 0; one < count; one += 1) {
      number += 1;
      const id = `${tenant}_${String(number).padStart(4, '0')}`;
      const answer = await underTest.registry.acceptDocuments([
        newDocument({ tenant, externalId: id, jobId: id, contentHash: id }),
      ]);
      const [only] = answer.outcome === 'accepted' ? answer.documents : [];
      if (only?.outcome !== 'accepted') throw new Error(`${id} was not accepted`);
      accepted.push({ id, isReleased: only.isReleased });
    }
    return accepted;
  }

  /** As a gateway does it. */
  async function bring(tenant: string, count: number): Promise<string[]> {
    const accepted = await accept(tenant, count);
    const released = accepted.filter((one) => one.isReleased).map(({ id }) => id);
    for (const { id, isReleased } of accepted) {
      if (!isReleased) released.push(...idsOf(await underTest.registry.letWait(tenant, [id])));
    }
    return released;
  }

  const idsOf = (jobs: readonly JobRecord[]) => jobs.map(({ id }) => id);
  const release = async () => idsOf(await underTest.other.releaseJobs());
  const tenantOf = (id: string) => id.slice(0, id.indexOf('_'));

  async function complete(tenant: string, id: string): Promise<void> {
    const job = await underTest.other.getJob(tenant, id);
    if (job === null) throw new Error(`there is no job ${id}`);
    const { documentId, version } = job;
    await underTest.other.claimJob(id);
    await underTest.other.publishVersion({ tenant, documentId, version, ...finished });
  }

  describe('turns of tenants with documents', () => {
    it('a window of a tenant is released, the others wait, and each end releases the oldest', async () => {
      const { registry, other } = underTest;
      await registry.noteUploadWorker('worker', slots);
      const released = await bring('loud', 10);
      expect(released).toHaveLength(6);
      expect(await other.countWaitingJobs()).toBe(4);
      expect(await other.countOpenJobs()).toBe(10);
      expect(await release()).toEqual([]);
      const order = [...released];
      for (let at = 0; at < 10; at += 1) {
        await complete('loud', order[at] ?? '');
        order.push(...(await release()));
      }
      expect(order).toEqual([...order].sort());
      expect(order).toHaveLength(10);
      expect(await other.countOpenJobs()).toBe(0);
    });

    it('a newcomer is released at once, and so are three who share, each as much', async () => {
      await underTest.registry.noteUploadWorker('worker', 12);
      const queue = await bring('loud', 60);
      expect(queue).toHaveLength(18);
      expect(await bring('quiet', 1)).toHaveLength(1);
      expect((await bring('third', 60)).length).toBeGreaterThanOrEqual(4);
      await bring('quiet', 59);
      // Everybody's oldest ends, turn by turn, until a few are left of each.
      const ended = new Map<string, number>();
      const open = new Set(idsOf(await released(['loud', 'quiet', 'third'])));
      for (let round = 0; round < 45; round += 1) {
        const [next] = open;
        if (next === undefined) break;
        open.delete(next);
        await complete(tenantOf(next), next);
        if (round >= 15) ended.set(tenantOf(next), (ended.get(tenantOf(next)) ?? 0) + 1);
        for (const id of await release()) open.add(id);
      }
      const counts = Map.groupBy(open, tenantOf);
      expect([...counts.values()].map((ids) => ids.length)).toEqual([4, 4, 4]);
      for (const count of ended.values()) expect(count).toBeGreaterThanOrEqual(7);
    });

    it('a release tells the tenants’ jobs in turns', async () => {
      const { registry } = underTest;
      await registry.noteUploadWorker('worker', 1);
      await bring('a', 12);
      await bring('b', 12);
      await registry.noteUploadWorker('worker', 12);
      const tenants = (await release()).map(tenantOf);
      expect(tenants.slice(0, 6)).toEqual(['a', 'b', 'a', 'b', 'a', 'b']);
    });

    it('a document that comes while older ones of its tenant wait is behind them', async () => {
      const { registry } = underTest;
      await registry.noteUploadWorker('worker', slots);
      const [first = ''] = await bring('loud', 8);
      await complete('loud', first);
      const [late] = await accept('loud', 1);
      expect(late?.isReleased).toBe(false);
      const released = idsOf(await registry.letWait('loud', [late?.id ?? '']));
      expect(released).toHaveLength(1);
      expect(released).not.toContain(late?.id);
    });

    it.each([
      ['it fails', (id: string) => underTest.other.endJob(id, 'failed', error)],
      ['it is to be tried again', (id: string) => underTest.other.retryJob(id, error)],
      ['it is put off', (id: string) => underTest.other.releaseJob(id)],
      ['it is to be cancelled', (id: string) => underTest.other.cancelJob('loud', id)],
      ['its acceptance is taken back', (id: string) => underTest.other.undoAcceptance('loud', [id])],
      ['its collection is deleted', () => underTest.other.deleteCollection('loud', 'handbook')],
      [
        'its document is deleted',
        async (id: string) => {
          const job = await underTest.other.getJob('loud', id);
          await underTest.other.deleteDocument('loud', job?.documentId ?? '');
        },
      ],
    ])('a place in the window is free when %s', async (name, end) => {
      const { registry } = underTest;
      await registry.noteUploadWorker('worker', slots);
      const released = await bring('loud', 8);
      const [first = ''] = released;
      if (!name.includes('taken back')) await registry.claimJob(first);
      await end(first);
      // Of a deleted collection nothing is run any more.
      if (name.includes('collection')) {
        expect(await release()).toEqual([]);
        expect(await registry.countWaitingJobs()).toBe(0);
      } else expect(await release()).toHaveLength(1);
    });

    it('a job that is claimed again after it was put off counts again', async () => {
      const { registry } = underTest;
      await registry.noteUploadWorker('worker', slots);
      const [first = ''] = await bring('loud', 8);
      await registry.claimJob(first);
      await registry.releaseJob(first);
      await registry.claimJob(first);
      expect(await release()).toEqual([]);
    });

    it('one that waits is claimed when somebody pushes its id by hand', async () => {
      const { registry } = underTest;
      await registry.noteUploadWorker('worker', slots);
      const released = await bring('loud', 7);
      const [waiting = ''] = (await registry.listJobs('loud')).flatMap(({ id }) =>
        released.includes(id) ? [] : [id],
      );
      expect(await registry.claimJob(waiting)).toMatchObject({ outcome: 'run', job: { turn: 'released' } });
      expect(await registry.countWaitingJobs()).toBe(0);
    });

    it('nobody is released whose original is still being placed, and the sweeper finds whoever died over it', async () => {
      const { registry, other } = underTest;
      await registry.noteUploadWorker('worker', slots);
      const accepted = await accept('loud', 7);
      const coming = accepted.at(-1)?.id ?? '';
      await complete('loud', accepted[0]?.id ?? '');
      expect(await release()).toEqual([]);
      underTest.clock += 60_000;
      const lost = await other.openJobs({ untouchedSince: underTest.clock, limit: 100 });
      expect(lost.find(({ id }) => id === coming)).toMatchObject({ turn: 'coming' });
      expect(idsOf(await other.letWait('loud', [coming]))).toEqual([coming]);
      expect(idsOf(await other.letWait('loud', [coming]))).toEqual([]);
      expect(idsOf(await other.letWait('someone-else', [coming]))).toEqual([]);
    });

    it('one that was released and never came on the list is found by the sweeper; those that wait are not', async () => {
      const { registry, other } = underTest;
      await registry.noteUploadWorker('worker', slots);
      const released = await bring('loud', 9);
      const first = released.shift() ?? '';
      await complete('loud', first);
      // Whoever did this dies before it pushes the id.
      const [unpushed = ''] = await release();
      expect(await other.openJobs({ untouchedSince: underTest.clock, limit: 100 })).toEqual([]);
      underTest.clock += 60_000;
      const lost = idsOf(await other.openJobs({ untouchedSince: underTest.clock, limit: 100 }));
      expect(lost.toSorted()).toEqual([...released, unpushed].toSorted());
      expect(await other.countWaitingJobs()).toBe(2);
    });

    it('a job that is run again waits for its turn too', async () => {
      const { registry } = underTest;
      await registry.noteUploadWorker('worker', slots);
      const [first = ''] = await bring('loud', 8);
      await registry.endJob(first, 'failed', error);
      await release();
      expect(await registry.reopenJob('loud', first)).toBe('reopened');
      expect(await registry.letWait('loud', [first])).toEqual([]);
      expect(await registry.getJob('loud', first)).toMatchObject({ turn: 'waiting', status: 'queued' });
    });

    it('slots are those of all workers that have said lately that they live', async () => {
      const { registry } = underTest;
      await registry.noteUploadWorker('one', 2);
      await registry.noteUploadWorker('two', 2);
      expect(await bring('loud', 20)).toHaveLength(6);
      await registry.noteUploadWorker('two', 4);
      expect(await release()).toHaveLength(3);
      underTest.clock += workerSeenMs;
      await registry.noteUploadWorker('one', 8);
      // `two` is gone; the other alone has 8.
      expect(await release()).toHaveLength(3);
      await registry.noteUploadWorker('two', 4);
      await registry.forgetUploadWorker('two');
      expect(await release()).toEqual([]);
    });

    it('a tenant that has brought nothing for a while shares no more', async () => {
      const { registry } = underTest;
      await registry.noteUploadWorker('worker', slots);
      const [only = ''] = await bring('quiet', 1);
      await complete('quiet', only);
      expect(await bring('loud', 10)).toHaveLength(3);
      underTest.clock = start + tenantSeenMs;
      await registry.noteUploadWorker('worker', slots);
      expect(await release()).toHaveLength(3);
    });
  });

  /** Who is on the list or in a worker's hands. */
  async function released(tenants: readonly string[]): Promise<JobRecord[]> {
    const jobs = await Promise.all(tenants.map((tenant) => underTest.other.listJobs(tenant, { limit: 500 })));
    return jobs
      .flat()
      .filter(({ turn, completedAt }) => turn === 'released' && completedAt === null)
      .sort((one, two) => (one.id.slice(-4) < two.id.slice(-4) ? -1 : 1));
  }
}
