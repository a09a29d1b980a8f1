import { describe, expect, it } from 'vitest';
import type { ListPlace } from '../records.ts';
import { collection, finished, type RegistryUnderTest, tenant } from './fixture-conformance.ts';

export function documentsConformance(underTest: RegistryUnderTest): void {
  describe('deleting', () => {
    it('hides the document at once and frees its external id', async () => {
      const first = await underTest.publish();
      const building = await underTest.begin({ jobId: 'job_2', contentHash: 'content-2' });
      expect(await underTest.registry.deleteDocument(tenant, first.documentId)).toBe(true);
      expect(await underTest.other.getDocument(tenant, first.documentId)).toBeNull();
      expect(await underTest.other.findDocument(tenant, collection, 'a.md')).toBeNull();
      expect(await underTest.other.visibleVersions(tenant, collection)).toEqual([]);
      expect(await underTest.other.listDocuments(tenant)).toEqual([]);
      expect(await underTest.other.listDocuments(tenant, { state: 'deleting' })).toHaveLength(1);
      expect(await underTest.registry.publishVersion({ ...building, ...finished })).toBe('deleted');
      expect(await underTest.registry.deleteDocument(tenant, first.documentId)).toBe(false);
      const again = await underTest.publish({ jobId: 'job_3' });
      expect(again.documentId).not.toBe(first.documentId);
    });

    it('keeps the record until the last of its rows is purged', async () => {
      const first = await underTest.publish();
      await underTest.publish({ jobId: 'job_2', contentHash: 'content-2' });
      await underTest.registry.deleteDocument(tenant, first.documentId);
      const stale = await underTest.registry.staleVersions();
      expect(stale.map((row) => row.version)).toEqual([1, 2]);
      await underTest.registry.forgetVersion(tenant, first.documentId, 1);
      expect(await underTest.registry.listDocuments(tenant, { state: 'deleting' })).toHaveLength(1);
      await underTest.registry.forgetVersion(tenant, first.documentId, 2);
      expect(await underTest.registry.listDocuments(tenant, { state: 'deleting' })).toEqual([]);
      expect(
        await underTest.registry.publishVersion({
          tenant,
          documentId: first.documentId,
          version: 2,
          ...finished,
        }),
      ).toBe('lost');
    });
  });

  describe('tenants', () => {
    it('see and touch only what is theirs', async () => {
      const version = await underTest.publish();
      const { documentId } = version;
      const stranger = 'someone-else';
      expect(await underTest.registry.getDocument(stranger, documentId)).toBeNull();
      expect(await underTest.registry.listDocuments(stranger)).toEqual([]);
      expect(await underTest.registry.findDocument(stranger, collection, 'a.md')).toBeNull();
      expect(await underTest.registry.deleteDocument(stranger, documentId)).toBe(false);
      expect(await underTest.registry.versionState(stranger, documentId, 1)).toBeNull();
      expect(await underTest.registry.visibleVersions(stranger, collection)).toEqual([]);
      const next = await underTest.begin({ jobId: 'job_2', contentHash: 'content-2' });
      expect(await underTest.registry.publishVersion({ ...next, ...finished, tenant: stranger })).toBe(
        'lost',
      );
      expect(await underTest.registry.versionState(tenant, documentId, 2)).toBe('building');
      await underTest.registry.publishVersion({ ...next, ...finished });
      await underTest.registry.forgetVersion(stranger, documentId, 1);
      expect(await underTest.registry.versionState(tenant, documentId, 1)).toBe('superseded');
    });
  });

  describe('lists and changes', () => {
    it('pages through documents, newest first, also when many were made in one millisecond', async () => {
      const made: string[] = [];
      for (let index = 0; index < 7; index += 1) {
        if (index > 4) underTest.clock += 1;
        made.push((await underTest.begin({ externalId: `d${index}`, jobId: `job_${index}` })).documentId);
      }
      const seen: string[] = [];
      let after: ListPlace | undefined;
      for (;;) {
        const rows = await underTest.registry.listDocuments(tenant, {
          limit: 3,
          collection,
          ...(after && { after }),
        });
        const last = rows.at(-1);
        if (last === undefined) break;
        seen.push(...rows.map((row) => row.documentId));
        after = { createdAt: last.createdAt, id: last.documentId };
      }
      expect(seen.slice(0, 2)).toEqual([made[6], made[5]]);
      expect(new Set(seen)).toEqual(new Set(made));
      expect(seen).toHaveLength(7);
      expect(await underTest.registry.listDocuments(tenant, { state: 'ready' })).toEqual([]);
    });

    it('goes on behind a document that has been removed meanwhile', async () => {
      const { registry } = underTest;
      await underTest.begin({ externalId: 'older', jobId: 'job_1' });
      underTest.clock += 1;
      const { documentId } = await underTest.begin({ externalId: 'newer', jobId: 'job_2' });
      const after = { createdAt: underTest.clock, id: documentId };
      await registry.deleteDocument(tenant, documentId);
      await underTest.forgetAllStale();
      expect(await registry.listDocuments(tenant, { after })).toMatchObject([{ externalId: 'older' }]);
    });

    it('finds by a part of title, file name or external id, whatever its case, by state and by ids', async () => {
      const { registry, other } = underTest;
      const first = await underTest.publish({
        externalId: 'kapitel_1',
        title: 'ÄRGER 100%',
        filename: 'Über.PDF',
      });
      const second = await underTest.begin({
        externalId: 'kapitelx1',
        title: null,
        filename: null,
        jobId: 'job_2',
      });
      const ids = async (filter: Parameters<typeof registry.listDocuments>[1]) => {
        const rows = await other.listDocuments(tenant, filter);
        return rows.map((row) => row.documentId);
      };
      expect(await ids({ q: 'ärger 100%' })).toEqual([first.documentId]);
      expect(await ids({ q: 'über.pdf' })).toEqual([first.documentId]);
      expect(await ids({ q: 'KAPITEL_1' })).toEqual([first.documentId]);
      expect(await ids({ q: 'apitel' })).toHaveLength(2);
      expect(await ids({ q: '1\nÄrger' })).toEqual([]);
      expect(await ids({ state: 'pending' })).toEqual([second.documentId]);
      expect(await ids({ ids: [second.documentId, 'doc_none'] })).toEqual([second.documentId]);
      expect(await ids({ ids: [] })).toEqual([]);
      expect(await ids({ collection: 'nowhere' })).toEqual([]);
    });

    it('what parsing found out describes the version once it is published; a title that was given stays', async () => {
      const { registry } = underTest;
      const parsed = {
        textHash: 'text',
        pages: 4,
        chunks: 3,
        tokens: 40,
        title: 'Its own',
        mediaType: 'application/pdf',
      };
      const untitled = await underTest.begin({ title: null });
      await registry.noteParsed({ ...untitled, ...parsed });
      await registry.noteParsed({ ...untitled, ...parsed, tenant: 'someone-else', pages: 9 });
      await registry.publishVersion({ ...untitled, ...finished });
      expect(await registry.getDocument(tenant, untitled.documentId)).toMatchObject({
        ...{ title: 'Its own', pages: 4, mediaType: 'application/pdf', textHash: 'text', tokens: 40 },
      });
      await registry.noteParsed({ ...untitled, ...parsed, pages: 9 });
      expect(await registry.getDocument(tenant, untitled.documentId)).toMatchObject({ pages: 4 });
      const titled = await underTest.begin({ externalId: 'b', jobId: 'job_2' });
      await registry.noteParsed({ ...titled, ...parsed });
      await registry.publishVersion({ ...titled, ...finished });
      expect(await registry.getDocument(tenant, titled.documentId)).toMatchObject({ title: 'A' });
    });

    it('contents are owned by all versions that have them, of whatever tenant, and named when the last is gone', async () => {
      const { registry, other } = underTest;
      const first = await underTest.publish();
      await underTest.publish({ externalId: 'b.md', jobId: 'job_2' });
      expect(await other.auditVersions(tenant)).toHaveLength(2);
      expect(await other.auditVersions(tenant, collection)).toMatchObject([
        {
          collection,
          state: 'visible',
          deleting: false,
          chunks: 3,
          originalHash: 'content-1',
          textHash: 'text',
        },
        { version: 1 },
      ]);
      expect(await other.auditVersions('someone-else')).toEqual([]);
      await registry.deleteDocument(tenant, first.documentId);
      expect(await underTest.forgetAllStale()).toEqual({ originals: [], texts: [] });
      expect(await other.ownedContents('original', ['content-1', 'content-2'])).toEqual(
        new Set(['content-1']),
      );
      expect(await other.ownedContents('text', ['text', 'content-1'])).toEqual(new Set(['text']));
      expect(await other.ownedContents('text', [])).toEqual(new Set());
      await underTest.publish({ externalId: 'b.md', jobId: 'job_3', contentHash: 'content-2' });
      expect(await underTest.forgetAllStale()).toEqual({ originals: ['content-1'], texts: [] });
    });

    it('the change counter stands still while nothing happens and moves with every connection’s writes', async () => {
      const counter = await underTest.registry.changeCounter();
      expect(await underTest.registry.changeCounter()).toBe(counter);
      await underTest.other.ensureCollection({ tenant, name: 'new' });
      const afterOther = await underTest.registry.changeCounter();
      expect(afterOther).not.toBe(counter);
      await underTest.registry.ensureCollection({ tenant, name: 'newer' });
      expect(await underTest.registry.changeCounter()).not.toBe(afterOther);
    });

    it("a collection's revision moves with what its searches may return, and not before", async () => {
      const revision = async () => (await underTest.registry.getCollection(tenant, collection))?.revision;
      const before = await revision();
      const version = await underTest.begin();
      expect(await revision()).toBe(before);
      await underTest.registry.publishVersion({ ...version, ...finished });
      const published = await revision();
      expect(published).not.toBe(before);
      await underTest.registry.deleteDocument(tenant, version.documentId);
      expect(await revision()).not.toBe(published);
    });
  });
}
