import { describe, expect, it } from 'vitest';
import { mostSurvivedReads } from '../jobs.ts';
import { finished, type RegistryUnderTest, start, tenant } from './fixture-conformance.ts';

// One piece: the life of a job from its claim to its end, told by both adapters alike.

const embed = { stage: 'embed', message: 'Embedding', etaMs: 900 } as const;
const error = { code: 'internal', message: 'the encoder is gone' };

export function jobsConformance(underTest: RegistryUnderTest): void {
  const job = async (id = 'job_1') => {
    const record = await underTest.other.getJob(tenant, id);
    if (record === null) throw new Error(`there is no job ${id}`);
    return record;
  };

  describe('jobs', () => {
    it('from queued to completed, each change an event under the next number', async () => {
      const { registry, other } = underTest;
      const version = await underTest.begin();
      underTest.clock += 1;
      const claim = await other.claimJob('job_1');
      expect(claim).toEqual({ outcome: 'run', job: await job() });
      expect(await job()).toMatchObject({ status: 'processing', deliveries: 1, startedAt: start + 1 });
      expect(await registry.getDocument(tenant, version.documentId)).toMatchObject({ state: 'processing' });
      await registry.noteProgress('job_1', { ...embed, progress: 40 });
      await registry.noteProgress('job_1', { ...embed, etaMs: 100, progress: 40 });
      await registry.noteProgress('job_1', { ...embed, progress: 30, message: 'Embedding on' });
      underTest.clock += 1;
      await registry.publishVersion({ ...version, ...finished });
      const { documentId } = version;
      expect(await job()).toMatchObject({
        ...{ status: 'completed', stage: null, progress: 100, message: 'Ready: 3 chunks', etaMs: null },
        completedAt: start + 2,
        result: {
          ...{ document_id: documentId, external_id: 'a.md', collection: 'handbook', chunk_count: 3 },
          processing_time_ms: 7,
        },
      });
      const events = await other.jobEvents(tenant, 'job_1', 0);
      expect(
        events.map(({ sequence, status, progress, message }) => [sequence, status, progress, message]),
      ).toEqual([
        [1, 'queued', 0, 'Queued'],
        [2, 'processing', 0, 'Started'],
        [3, 'processing', 40, 'Embedding'],
        [4, 'processing', 40, 'Embedding on'],
        [5, 'completed', 100, 'Ready: 3 chunks'],
      ]);
      expect(events[0]).toEqual({
        ...{ sequence: 1, at: start, status: 'queued', stage: null, progress: 0, message: 'Queued' },
        ...{ etaMs: null, error: null, errorCode: null },
      });
      expect(await other.jobEvents(tenant, 'job_1', 3)).toEqual(events.slice(3));
      expect(await other.jobEvents(tenant, 'job_1', 1, 2)).toEqual(events.slice(1, 3));
      expect(await other.jobEvents('someone-else', 'job_1', 0)).toEqual([]);
      await registry.noteProgress('job_1', { ...embed, progress: 50 });
      await registry.retryJob('job_1', error);
      expect(await job()).toMatchObject({ status: 'completed', progress: 100 });
      expect(await registry.claimJob('job_1')).toMatchObject({
        outcome: 'over',
        job: { status: 'completed' },
      });
      expect(await registry.claimJob('job_none')).toEqual({ outcome: 'unknown' });
    });

    it('tells of many jobs at once how far each has come', async () => {
      const { registry, other } = underTest;
      await underTest.begin();
      await underTest.begin({ externalId: 'b.md', jobId: 'job_2' });
      const jobs = ['job_1', 'job_2', 'job_unknown'];
      expect(await other.newestEvents(tenant, jobs)).toEqual(
        new Map([
          ['job_1', 1],
          ['job_2', 1],
        ]),
      );
      await registry.claimJob('job_2');
      await registry.noteProgress('job_2', { ...embed, progress: 40 });
      expect((await other.newestEvents(tenant, jobs)).get('job_2')).toBe(3);
      expect(await other.newestEvents('someone-else', jobs)).toEqual(new Map());
      expect(await other.newestEvents(tenant, [])).toEqual(new Map());
    });

    it('counts deliveries until work is committed, and a drained one not at all', async () => {
      const { registry } = underTest;
      await underTest.begin();
      await registry.claimJob('job_1');
      await registry.claimJob('job_1');
      expect(await job()).toMatchObject({ deliveries: 2, status: 'processing' });
      await registry.noteProgress('job_1', { ...embed, progress: 10 });
      expect((await job()).deliveries).toBe(2);
      await registry.noteProgress('job_1', { ...embed, progress: 10, committed: true });
      expect((await job()).deliveries).toBe(0);
      await registry.claimJob('job_1');
      await registry.releaseJob('job_1');
      expect(await job()).toMatchObject({ deliveries: 0, status: 'queued', progress: 10 });
    });

    it('a stored group is such work, in the same transaction; the same group again is none', async () => {
      const { registry } = underTest;
      const version = await underTest.begin();
      const group = (firstOrdinal: number) =>
        registry.noteStoredGroup({ ...version, firstOrdinal, chunks: 2 });
      await registry.claimJob('job_1');
      await registry.claimJob('job_1');
      await group(0);
      expect((await job()).deliveries).toBe(0);
      await registry.claimJob('job_1');
      await group(0);
      expect((await job()).deliveries).toBe(1);
      await registry.noteStoredGroup({ ...version, version: 9, firstOrdinal: 4, chunks: 2 });
      expect((await job()).deliveries).toBe(1);
      await group(2);
      expect((await job()).deliveries).toBe(0);
    });

    it('a document that was read to its end takes back the delivery, some times between two stored groups', async () => {
      const { registry } = underTest;
      const version = await underTest.begin();
      await registry.claimJob('job_1');
      await registry.noteRead('job_1');
      expect((await job()).deliveries).toBe(1);
      for (let death = 1; death <= mostSurvivedReads; death++) {
        await registry.claimJob('job_1');
        await registry.noteRead('job_1');
        expect((await job()).deliveries).toBe(1);
      }
      await registry.claimJob('job_1');
      await registry.noteRead('job_1');
      expect((await job()).deliveries).toBe(2);
      await registry.noteStoredGroup({ ...version, firstOrdinal: 0, chunks: 2 });
      await registry.claimJob('job_1');
      await registry.claimJob('job_1');
      await registry.noteRead('job_1');
      expect((await job()).deliveries).toBe(1);
      await registry.noteRead('unknown');
    });

    it('a try that failed begins at 0 again and says why, until the next one is claimed', async () => {
      const { registry } = underTest;
      await underTest.begin();
      await registry.claimJob('job_1');
      await registry.noteProgress('job_1', { ...embed, progress: 60 });
      await registry.retryJob('job_1', error);
      const waiting = { status: 'retrying', progress: 0, retryCount: 1, deliveries: 0, stage: null };
      expect(await job()).toMatchObject({ ...waiting, error: error.message, errorCode: 'internal' });
      // The worker of the failed try still says something.
      await registry.noteProgress('job_1', { ...embed, progress: 70 });
      expect(await job()).toMatchObject(waiting);
      await registry.claimJob('job_1');
      expect(await job()).toMatchObject({
        status: 'processing',
        error: null,
        errorCode: null,
        retryCount: 1,
      });
    });

    it('fails with its version', async () => {
      const { registry } = underTest;
      const { documentId } = await underTest.begin();
      await registry.claimJob('job_1');
      await registry.noteProgress('job_1', { ...embed, progress: 60 });
      underTest.clock += 1;
      await registry.endJob('job_1', 'failed', error);
      expect(await registry.versionState(tenant, documentId, 1)).toBe('failed');
      const failed = {
        status: 'failed',
        stage: null,
        progress: 60,
        error: error.message,
        errorCode: 'internal',
      };
      expect(await job()).toMatchObject({ ...failed, completedAt: start + 1 });
      expect(await registry.cancelJob(tenant, 'job_1')).toBe('over');
    });

    it('completes also when it was overtaken', async () => {
      const older = await underTest.begin();
      await underTest.publish({ jobId: 'job_2', contentHash: 'content-2' });
      expect(await underTest.registry.publishVersion({ ...older, ...finished })).toBe('superseded');
      expect(await job()).toMatchObject({ status: 'completed', progress: 100 });
      expect(await underTest.registry.publishVersion({ ...older, ...finished })).toBe('superseded');
    });

    it('is cancelled once what it stored is gone, and not before', async () => {
      const { registry, other } = underTest;
      const version = await underTest.begin();
      await registry.claimJob('job_1');
      await registry.noteStoredGroup({ ...version, firstOrdinal: 0, chunks: 16 });
      expect(await other.cancelJob('someone-else', 'job_1')).toBe('unknown');
      expect(await other.cancelJob(tenant, 'job_1')).toBe('cancelling');
      expect(await job()).toMatchObject({ status: 'processing', stage: 'cancel', cancelRequested: true });
      expect(await registry.versionState(tenant, version.documentId, 1)).toBe('failed');
      expect(await registry.publishVersion({ ...version, ...finished })).toBe('lost');
      await registry.noteProgress('job_1', { ...embed, progress: 90 });
      await registry.retryJob('job_1', error);
      await registry.endJob('job_1', 'failed', error);
      expect(await job()).toMatchObject({ status: 'processing', stage: 'cancel', progress: 0 });
      expect((await registry.claimJob('job_1')).outcome).toBe('over');
      underTest.clock += 1;
      await registry.forgetVersion(tenant, version.documentId, 1);
      expect(await job()).toMatchObject({
        status: 'cancelled',
        stage: null,
        errorCode: 'cancelled',
        completedAt: start + 1,
      });
      expect(await registry.getDocument(tenant, version.documentId)).toMatchObject({ state: 'failed' });
      expect((await other.jobEvents(tenant, 'job_1', 0)).map((event) => event.status)).toEqual([
        ...['queued', 'processing', 'processing', 'cancelled'],
      ]);
    });

    it('of a deleted document is over at once and cancelled once its version is forgotten', async () => {
      const { registry } = underTest;
      const version = await underTest.begin();
      await registry.deleteDocument(tenant, version.documentId);
      expect(await registry.claimJob('job_1')).toMatchObject({
        outcome: 'over',
        job: { cancelRequested: true },
      });
      expect(await registry.reopenJob(tenant, 'job_1')).toBe('not_ended');
      expect(await underTest.forgetAllStale()).toEqual({ originals: ['content-1'], texts: [] });
      expect(await job()).toMatchObject({ status: 'cancelled' });
      expect(await registry.reopenJob(tenant, 'job_1')).toBe('gone');
      expect(await registry.listDocuments(tenant, { state: 'deleting' })).toEqual([]);
    });

    it('ends without a version too', async () => {
      const { registry } = underTest;
      const version = await underTest.begin();
      await registry.endJob('job_1', 'failed', error);
      expect(await job()).toMatchObject({ status: 'failed', error: error.message });
      expect(await registry.versionState(tenant, version.documentId, 1)).toBe('failed');
      await registry.endJob('job_1', 'cancelled', error);
      await registry.endJob('job_none', 'cancelled', error);
      expect(await job()).toMatchObject({ status: 'failed' });
    });
  });

  describe('running a job again', () => {
    it('builds a new version from the same original, which stays until then', async () => {
      const { registry, other } = underTest;
      const first = await underTest.begin({ title: null, metadata: { user_id: 'u1' } });
      const { documentId } = first;
      await registry.noteParsed({
        ...{ ...first, textHash: 'text-1', pages: 2, chunks: 3, tokens: 40 },
        ...{ title: 'Its own', mediaType: 'text/html' },
      });
      await registry.endJob('job_1', 'failed', error);
      expect(await underTest.forgetAllStale()).toEqual({ originals: [], texts: ['text-1'] });
      expect(await registry.versionState(tenant, documentId, 1)).toBeNull();
      expect(await registry.staleVersions()).toEqual([]);
      expect(await other.ownedContents('original', ['content-1'])).toEqual(new Set(['content-1']));
      expect(await other.reopenJob('someone-else', 'job_1')).toBe('unknown');
      expect(await other.reopenJob(tenant, 'job_1')).toBe('reopened');
      expect(await other.reopenJob(tenant, 'job_1')).toBe('not_ended');
      expect(await job()).toMatchObject({
        status: 'queued',
        version: 2,
        error: null,
        completedAt: null,
        progress: 0,
      });
      expect(await registry.getDocument(tenant, documentId)).toMatchObject({ state: 'pending' });
      expect(await underTest.forgetAllStale()).toEqual({ originals: [], texts: [] });
      await registry.claimJob('job_1');
      expect(await registry.publishVersion({ ...first, version: 2, ...finished })).toBe('published');
      expect(await registry.getDocument(tenant, documentId)).toMatchObject({
        ...{
          title: 'Its own',
          contentHash: 'content-1',
          metadata: { user_id: 'u1' },
          version: 2,
          bytes: 100,
        },
      });
      expect(await other.reopenJob(tenant, 'job_1')).toBe('completed');
    });

    it('is refused once a newer version was accepted; the original goes then', async () => {
      const { registry } = underTest;
      await underTest.begin();
      await registry.endJob('job_1', 'failed', error);
      expect(await underTest.forgetAllStale()).toEqual({ originals: [], texts: [] });
      await underTest.begin({ jobId: 'job_2', contentHash: 'content-2' });
      expect(await registry.reopenJob(tenant, 'job_1')).toBe('overtaken');
      expect(await underTest.forgetAllStale()).toEqual({ originals: ['content-1'], texts: [] });
    });

    it('a cancelled job can be run again, and the original goes with its document or its history', async () => {
      const { registry } = underTest;
      const version = await underTest.begin();
      await registry.cancelJob(tenant, 'job_1');
      expect(await underTest.forgetAllStale()).toEqual({ originals: [], texts: [] });
      expect(await registry.reopenJob(tenant, 'job_1')).toBe('reopened');
      await registry.cancelJob(tenant, 'job_1');
      expect(await underTest.forgetAllStale()).toEqual({ originals: [], texts: [] });
      await registry.deleteDocument(tenant, version.documentId);
      expect(await underTest.forgetAllStale()).toEqual({ originals: ['content-1'], texts: [] });
      await underTest.begin({ jobId: 'job_2', contentHash: 'content-2' });
      await registry.endJob('job_2', 'failed', error);
      expect(await underTest.forgetAllStale()).toEqual({ originals: [], texts: [] });
      underTest.clock += 1;
      expect(await registry.forgetOldJobs(underTest.clock)).toBe(2);
      expect(await registry.getJob(tenant, 'job_2')).toBeNull();
      expect(await registry.jobEvents(tenant, 'job_2', 0)).toEqual([]);
      expect(await underTest.forgetAllStale()).toEqual({ originals: ['content-2'], texts: [] });
    });
  });

  describe('lists of jobs', () => {
    it('newest first, by status, collection and document, in pages', async () => {
      const { registry } = underTest;
      const made = [];
      for (const id of ['job_1', 'job_2', 'job_3']) {
        made.push(await underTest.begin({ jobId: id, externalId: id }));
        underTest.clock += 1;
      }
      await registry.claimJob('job_2');
      const ids = async (filter: Parameters<typeof registry.listJobs>[1]) =>
        (await underTest.other.listJobs(tenant, filter)).map((record) => record.id);
      expect(await ids({})).toEqual(['job_3', 'job_2', 'job_1']);
      expect(await ids({ status: 'queued' })).toEqual(['job_3', 'job_1']);
      expect(await ids({ documentId: made[0]?.documentId ?? '' })).toEqual(['job_1']);
      expect(await ids({ collection: 'nowhere' })).toEqual([]);
      expect(await ids({ limit: 2 })).toEqual(['job_3', 'job_2']);
      expect(await ids({ after: { createdAt: start + 1, id: 'job_2' } })).toEqual(['job_1']);
      expect(await registry.listJobs('someone-else')).toEqual([]);
      const open = await registry.openJobs({ untouchedSince: start + 2, limit: 10 });
      expect(open.map((record) => record.id)).toEqual(['job_1']);
    });

    it('forgets what ended long ago, and nothing that is open', async () => {
      await underTest.publish();
      await underTest.begin({ jobId: 'job_2', contentHash: 'content-2' });
      expect(await underTest.registry.forgetOldJobs(start)).toBe(0);
      underTest.clock += 1;
      expect(await underTest.registry.forgetOldJobs(underTest.clock)).toBe(1);
      expect(await underTest.other.getJob(tenant, 'job_1')).toBeNull();
      expect((await job('job_2')).status).toBe('queued');
    });
  });
}
