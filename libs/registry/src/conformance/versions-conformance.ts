import { describe, expect, it } from 'vitest';
import { collection, finished, type RegistryUnderTest, start, tenant } from './fixture-conformance.ts';

export function versionsConformance(underTest: RegistryUnderTest): void {
  describe('versions', () => {
    it('a new document is pending and invisible; published it is ready, with all that describes it', async () => {
      const version = await underTest.begin({ metadata: { user_id: 'u1' } });
      expect(version.documentId).toMatch(/^doc_[0-9A-Za-z]{22}$/);
      expect(version.version).toBe(1);
      expect(await underTest.registry.getDocument(tenant, version.documentId)).toMatchObject({
        state: 'pending',
        version: 0,
      });
      expect(await underTest.registry.visibleVersions(tenant, collection)).toEqual([]);
      underTest.clock += 5;
      expect(await underTest.registry.publishVersion({ ...version, ...finished })).toBe('published');
      expect(await underTest.other.getDocument(tenant, version.documentId)).toEqual({
        documentId: version.documentId,
        tenant,
        collection,
        externalId: 'a.md',
        title: 'A',
        filename: 'a.md',
        mediaType: 'text/markdown',
        state: 'ready',
        version: 1,
        bytes: 100,
        pages: null,
        chunks: 3,
        tokens: 40,
        contentHash: 'content-1',
        textHash: 'text',
        metadata: { user_id: 'u1' },
        lastError: null,
        createdAt: start,
        updatedAt: start + 5,
      });
      expect(await underTest.other.visibleVersions(tenant, collection)).toEqual([
        { documentId: version.documentId, version: 1, title: 'A', chunks: 3, metadata: { user_id: 'u1' } },
      ]);
      expect(await underTest.other.listCollections(tenant)).toMatchObject([
        { name: collection, documents: 1 },
      ]);
    });

    it('remembers which groups of a version being built are stored, until it is published or given up', async () => {
      const version = await underTest.begin();
      const { documentId } = version;
      await underTest.registry.noteStoredGroup({ ...version, firstOrdinal: 16, chunks: 9 });
      await underTest.other.noteStoredGroup({ ...version, firstOrdinal: 0, chunks: 16 });
      await underTest.registry.noteStoredGroup({ ...version, firstOrdinal: 0, chunks: 16 });
      await underTest.registry.noteStoredGroup({
        ...version,
        tenant: 'someone-else',
        firstOrdinal: 25,
        chunks: 1,
      });
      expect(await underTest.other.storedGroups(tenant, documentId, 1)).toEqual([
        { firstOrdinal: 0, chunks: 16 },
        { firstOrdinal: 16, chunks: 9 },
      ]);
      expect(await underTest.other.storedGroups('someone-else', documentId, 1)).toEqual([]);
      await underTest.registry.publishVersion({ ...version, ...finished });
      expect(await underTest.other.storedGroups(tenant, documentId, 1)).toEqual([]);
      await underTest.registry.noteStoredGroup({ ...version, firstOrdinal: 25, chunks: 1 });
      expect(await underTest.other.storedGroups(tenant, documentId, 1)).toEqual([]);
      const second = await underTest.begin({ jobId: 'job_2', contentHash: 'content-2' });
      await underTest.registry.noteStoredGroup({ ...second, firstOrdinal: 0, chunks: 1 });
      await underTest.registry.endJob('job_2', 'failed', { code: 'internal', message: 'no' });
      expect(await underTest.other.storedGroups(tenant, documentId, 2)).toEqual([]);
    });

    it('a new version replaces the old one in one step; the old one is then stale', async () => {
      const first = await underTest.publish();
      const second = await underTest.begin({ jobId: 'job_2', contentHash: 'content-2', title: 'B' });
      expect(second.documentId).toBe(first.documentId);
      expect(await underTest.registry.getDocument(tenant, first.documentId)).toMatchObject({
        state: 'ready',
        version: 1,
      });
      expect(await underTest.registry.staleVersions()).toEqual([]);
      await underTest.registry.publishVersion({ ...second, ...finished, chunks: 9 });
      expect(await underTest.registry.visibleVersions(tenant, collection)).toEqual([
        { documentId: first.documentId, version: 2, title: 'B', chunks: 9, metadata: {} },
      ]);
      expect(await underTest.other.staleVersions()).toEqual([
        { tenant, collection, documentId: first.documentId, version: 1 },
      ]);
      await underTest.registry.forgetVersion(tenant, first.documentId, 1);
      expect(await underTest.other.staleVersions()).toEqual([]);
      expect(await underTest.other.versionState(tenant, first.documentId, 1)).toBeNull();
      expect(await underTest.other.versionState(tenant, first.documentId, 2)).toBe('visible');
    });

    it('an older version that is finished later does not override the newer one', async () => {
      const older = await underTest.begin();
      const newer = await underTest.begin({ jobId: 'job_2', contentHash: 'content-2' });
      expect(await underTest.registry.publishVersion({ ...newer, ...finished })).toBe('published');
      expect(await underTest.other.publishVersion({ ...older, ...finished })).toBe('superseded');
      expect(await underTest.other.getDocument(tenant, older.documentId)).toMatchObject({
        version: 2,
        contentHash: 'content-2',
      });
      expect(await underTest.registry.staleVersions()).toHaveLength(1);
    });

    it('publishing twice is the same as once', async () => {
      const version = await underTest.publish();
      const before = await underTest.registry.getCollection(tenant, collection);
      expect(await underTest.other.publishVersion({ ...version, ...finished })).toBe('published');
      expect(await underTest.registry.getCollection(tenant, collection)).toEqual(before);
    });

    it('a failed first version makes the document failed; a failed later one leaves it ready', async () => {
      const error = { code: 'internal', message: 'the encoder is gone' };
      const first = await underTest.begin();
      await underTest.registry.endJob('job_1', 'failed', error);
      expect(await underTest.other.getDocument(tenant, first.documentId)).toMatchObject({
        state: 'failed',
        lastError: error,
      });
      expect(await underTest.registry.publishVersion({ ...first, ...finished })).toBe('lost');
      const second = await underTest.publish();
      expect(second.version).toBe(2);
      expect(await underTest.other.getDocument(tenant, first.documentId)).toMatchObject({
        state: 'ready',
        lastError: null,
      });
      await underTest.begin({ jobId: 'job_3', contentHash: 'content-3' });
      await underTest.registry.endJob('job_3', 'failed', error);
      expect(await underTest.other.getDocument(tenant, first.documentId)).toMatchObject({
        state: 'ready',
        version: 2,
        lastError: error,
      });
      expect((await underTest.registry.staleVersions()).map((row) => row.version)).toEqual([1, 3]);
    });

    it('a failed version changes nothing that is visible already', async () => {
      const version = await underTest.publish();
      await underTest.registry.endJob('job_1', 'failed', { code: 'internal', message: 'late' });
      expect(await underTest.registry.getDocument(tenant, version.documentId)).toMatchObject({
        state: 'ready',
        lastError: null,
      });
    });

    it('a version whose job is open is not given up, whatever its age: lost jobs are put back into the queue', async () => {
      const version = await underTest.begin();
      underTest.clock += 30 * 24 * 3_600_000;
      expect(await underTest.registry.staleVersions()).toEqual([]);
      const open = { untouchedSince: underTest.clock, limit: 10 };
      expect(await underTest.other.openJobs(open)).toMatchObject([{ id: 'job_1', version: 1 }]);
      expect(await underTest.other.countOpenJobs()).toBe(1);
      expect(await underTest.other.versionState(tenant, version.documentId, 1)).toBe('building');
    });

    it('what can be found is summed up over all tenants, and what cannot is left out', async () => {
      const { registry, other } = underTest;
      expect(await registry.indexTotals()).toEqual({ documents: 0, chunks: 0, bytes: 0 });
      const version = await underTest.publish();
      await underTest.begin({ externalId: 'unfinished', jobId: 'job_2' });
      const summary = await registry.summarizeCollection(tenant, collection);
      expect(await other.indexTotals()).toEqual({
        documents: 1,
        chunks: summary?.chunks,
        bytes: summary?.bytes,
      });
      expect(summary?.chunks).toBeGreaterThan(0);
      await registry.deleteDocument(tenant, version.documentId);
      expect(await other.indexTotals()).toMatchObject({ documents: 0 });
    });

    it('a living version cannot be forgotten', async () => {
      const version = await underTest.publish();
      await underTest.registry.forgetVersion(tenant, version.documentId, 1);
      expect(await underTest.registry.versionState(tenant, version.documentId, 1)).toBe('visible');
    });
  });
}
