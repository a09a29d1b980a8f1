import { describe, expect, it } from 'vitest';
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
      await underTest.registry.failVersion({
        ...next,
        tenant: stranger,
        error: { code: 'internal', message: 'no' },
      });
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
      for (;;) {
        const after = seen.at(-1);
        const rows = await underTest.registry.listDocuments(tenant, {
          limit: 3,
          collection,
          ...(after && { after }),
        });
        if (rows.length === 0) break;
        seen.push(...rows.map((row) => row.documentId));
      }
      expect(seen.slice(0, 2)).toEqual([made[6], made[5]]);
      expect(new Set(seen)).toEqual(new Set(made));
      expect(seen).toHaveLength(7);
      expect(await underTest.registry.listDocuments(tenant, { state: 'ready' })).toEqual([]);
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
