import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BegunVersion, NewVersion, Registry } from './registry.ts';
import { assertBound, EmbeddingMismatch, UnknownCollection } from './registry.ts';

/** What a conformance run needs of an adapter: an empty registry, opened as often as asked on the same data. */
export interface RegistryUnderTest {
  /** Opens one more connection to the same registry, as another process would. `now` is the test's clock. */
  open(now: () => number): Promise<Registry>;
  /** Closes nothing (the suite closes what it opened); removes the data. */
  remove(): Promise<void>;
}

const tenant = 'default';
const collection = 'handbook';
const start = 1_700_000_000_000;

/**
 * The contract of the port `Registry`. Every adapter runs it; only tests import this file. One piece, because its
 * tests share one registry opened twice, and because an adapter keeps all of it or is none.
 */
export function registryConformance(name: string, make: () => Promise<RegistryUnderTest>): void {
  describe(`registry conformance: ${name}`, () => {
    let underTest: RegistryUnderTest;
    let registry: Registry;
    let other: Registry;
    let clock: number;

    beforeEach(async () => {
      clock = start;
      underTest = await make();
      registry = await underTest.open(() => clock);
      other = await underTest.open(() => clock);
      await registry.ensureCollection({ tenant, name: collection });
    });

    afterEach(async () => {
      await registry.close();
      await other.close();
      await underTest.remove();
    });

    const asked = (change: Partial<NewVersion> = {}): NewVersion => ({
      tenant,
      collection,
      externalId: 'a.md',
      title: 'A',
      mediaType: 'text/markdown',
      jobId: 'job_1',
      contentHash: 'content-1',
      settingsHash: 'settings',
      ...change,
    });

    async function begin(change: Partial<NewVersion> = {}) {
      const begun: BegunVersion = await registry.beginVersion(asked(change));
      if (begun.outcome !== 'begun') throw new Error(`expected a new version, got ${begun.outcome}`);
      return { tenant, documentId: begun.documentId, version: begun.version };
    }

    const finished = { textHash: 'text', bytes: 100, chunks: 3, tokens: 40 };

    async function publish(change: Partial<NewVersion> = {}) {
      const version = await begin(change);
      expect(await registry.publishVersion({ ...version, ...finished })).toBe('published');
      return version;
    }

    describe('collections', () => {
      it('creates a collection once, and keeps the settings of the first time', async () => {
        const first = await registry.ensureCollection({
          tenant,
          name: 'new',
          chunkSize: 128,
          chunkOverlap: 16,
        });
        const second = await other.ensureCollection({ tenant, name: 'new', chunkSize: 64 });
        expect(second).toEqual(first);
        expect(first).toMatchObject({
          chunkSize: 128,
          chunkOverlap: 16,
          relevanceFloor: null,
          embeddingModel: null,
        });
        expect(first.createdAt).toBe(start);
      });

      it('lists collections of one tenant by name, with what is visible in them', async () => {
        await registry.ensureCollection({ tenant, name: 'almanac' });
        await registry.ensureCollection({ tenant: 'someone-else', name: 'theirs' });
        await publish();
        await begin({ externalId: 'unfinished' });
        expect(await registry.listCollections(tenant)).toMatchObject([
          { name: 'almanac', documents: 0, chunks: 0, bytes: 0 },
          { name: collection, documents: 1, chunks: 3, bytes: 100 },
        ]);
      });

      it('binds a collection to the model of its first vectors and refuses another one', async () => {
        const model = { tenant, collection, embeddingModel: 'minilm', dimension: 384 };
        expect(await registry.bindModel(model)).toEqual({ outcome: 'bound' });
        expect(await other.bindModel(model)).toEqual({ outcome: 'unchanged' });
        const wrong = { ...model, embeddingModel: 'bge-small' };
        const binding = await other.bindModel(wrong);
        expect(binding).toEqual({
          outcome: 'mismatch',
          stored: { embeddingModel: 'minilm', dimension: 384 },
        });
        expect(() => assertBound(wrong, binding)).toThrow(EmbeddingMismatch);
        expect(() => assertBound(wrong, binding)).toThrow(
          /embedding\.model back .* or ingest its documents again/,
        );
        expect((await registry.bindModel({ ...model, dimension: 768 })).outcome).toBe('mismatch');
        expect(await registry.getCollection(tenant, collection)).toMatchObject({
          embeddingModel: 'minilm',
          dimension: 384,
        });
      });

      it('binds nothing in a collection that does not exist', async () => {
        const model = { tenant, collection: 'nowhere', embeddingModel: 'minilm', dimension: 384 };
        await expect(registry.bindModel(model)).rejects.toThrow(UnknownCollection);
      });
    });

    describe('what a read of a collection means', () => {
      it('is the collection itself, or unknown', async () => {
        expect((await registry.resolveCollection(tenant, collection))?.name).toBe(collection);
        expect(await registry.resolveCollection(tenant, 'nowhere')).toBeNull();
        expect(await registry.resolveCollection('someone-else', collection)).toBeNull();
      });

      it('default is never unknown', async () => {
        expect(await registry.resolveCollection(tenant, 'default')).toMatchObject({
          name: 'default',
          revision: 0,
        });
      });

      it('default means vortex-docs until it has a visible document, and again when it has lost its last', async () => {
        await registry.ensureCollection({ tenant, name: 'vortex-docs' });
        await registry.ensureCollection({ tenant, name: 'default' });
        const version = await begin({ collection: 'default' });
        expect((await other.resolveCollection(tenant, 'default'))?.name).toBe('vortex-docs');
        await registry.publishVersion({ ...version, ...finished });
        expect((await other.resolveCollection(tenant, 'default'))?.name).toBe('default');
        await registry.deleteDocument(tenant, version.documentId);
        expect((await other.resolveCollection(tenant, 'default'))?.name).toBe('vortex-docs');
      });

      it("default of one tenant does not mean another tenant's vortex-docs", async () => {
        await registry.ensureCollection({ tenant, name: 'vortex-docs' });
        expect((await registry.resolveCollection('someone-else', 'default'))?.name).toBe('default');
      });
    });

    describe('versions', () => {
      it('a new document is processing and invisible; published it is ready, with all that describes it', async () => {
        const version = await begin({ metadata: { user_id: 'u1' } });
        expect(version.documentId).toMatch(/^doc_[0-9A-Za-z]{22}$/);
        expect(version.version).toBe(1);
        expect(await registry.getDocument(tenant, version.documentId)).toMatchObject({
          state: 'processing',
          version: 0,
        });
        expect(await registry.visibleVersions(tenant, collection)).toEqual([]);
        clock += 5;
        expect(await registry.publishVersion({ ...version, ...finished })).toBe('published');
        expect(await other.getDocument(tenant, version.documentId)).toEqual({
          documentId: version.documentId,
          tenant,
          collection,
          externalId: 'a.md',
          title: 'A',
          mediaType: 'text/markdown',
          state: 'ready',
          version: 1,
          bytes: 100,
          chunks: 3,
          tokens: 40,
          contentHash: 'content-1',
          textHash: 'text',
          metadata: { user_id: 'u1' },
          lastError: null,
          createdAt: start,
          updatedAt: start + 5,
        });
        expect(await other.visibleVersions(tenant, collection)).toEqual([
          { documentId: version.documentId, version: 1, title: 'A', chunks: 3 },
        ]);
        expect(await other.listCollections(tenant)).toMatchObject([{ name: collection, documents: 1 }]);
      });

      it('the same job delivered again gets the version it began', async () => {
        const first = await begin();
        const again = await other.beginVersion(asked());
        expect(again).toEqual({ outcome: 'begun', documentId: first.documentId, version: 1, resumed: true });
      });

      it('remembers which groups of a version being built are stored, until it is published or given up', async () => {
        const version = await begin();
        const { documentId } = version;
        await registry.noteStoredGroup({ ...version, firstOrdinal: 16, chunks: 9 });
        await other.noteStoredGroup({ ...version, firstOrdinal: 0, chunks: 16 });
        await registry.noteStoredGroup({ ...version, firstOrdinal: 0, chunks: 16 });
        await registry.noteStoredGroup({ ...version, tenant: 'someone-else', firstOrdinal: 25, chunks: 1 });
        expect(await other.storedGroups(tenant, documentId, 1)).toEqual([
          { firstOrdinal: 0, chunks: 16 },
          { firstOrdinal: 16, chunks: 9 },
        ]);
        expect(await other.storedGroups('someone-else', documentId, 1)).toEqual([]);
        await registry.publishVersion({ ...version, ...finished });
        expect(await other.storedGroups(tenant, documentId, 1)).toEqual([]);
        await registry.noteStoredGroup({ ...version, firstOrdinal: 25, chunks: 1 });
        expect(await other.storedGroups(tenant, documentId, 1)).toEqual([]);
        const second = await begin({ jobId: 'job_2', contentHash: 'content-2' });
        await registry.noteStoredGroup({ ...second, firstOrdinal: 0, chunks: 1 });
        await registry.failVersion({ ...second, error: { code: 'internal', message: 'no' } });
        expect(await other.storedGroups(tenant, documentId, 2)).toEqual([]);
      });

      it('the same content with the same settings, once visible, is nothing to do; changed settings are', async () => {
        const first = await publish();
        expect(await registry.beginVersion(asked({ jobId: 'job_2' }))).toEqual({
          outcome: 'unchanged',
          documentId: first.documentId,
          version: 1,
          chunks: 3,
        });
        const changed = await registry.beginVersion(asked({ jobId: 'job_3', settingsHash: 'other' }));
        expect(changed).toMatchObject({ outcome: 'begun', version: 2 });
      });

      it('old content comes back as a new version while other content is on its way', async () => {
        await publish();
        await begin({ jobId: 'job_2', contentHash: 'content-2' });
        expect(await registry.beginVersion(asked({ jobId: 'job_3' }))).toMatchObject({
          outcome: 'begun',
          version: 3,
        });
      });

      it('a new version replaces the old one in one step; the old one is then stale', async () => {
        const first = await publish();
        const second = await begin({ jobId: 'job_2', contentHash: 'content-2', title: 'B' });
        expect(second.documentId).toBe(first.documentId);
        expect(await registry.getDocument(tenant, first.documentId)).toMatchObject({
          state: 'ready',
          version: 1,
        });
        expect(await registry.staleVersions()).toEqual([]);
        await registry.publishVersion({ ...second, ...finished, chunks: 9 });
        expect(await registry.visibleVersions(tenant, collection)).toEqual([
          { documentId: first.documentId, version: 2, title: 'B', chunks: 9 },
        ]);
        expect(await other.staleVersions()).toEqual([
          { tenant, collection, documentId: first.documentId, version: 1 },
        ]);
        await registry.forgetVersion(tenant, first.documentId, 1);
        expect(await other.staleVersions()).toEqual([]);
        expect(await other.versionState(tenant, first.documentId, 1)).toBeNull();
        expect(await other.versionState(tenant, first.documentId, 2)).toBe('visible');
      });

      it('an older version that is finished later does not override the newer one', async () => {
        const older = await begin();
        const newer = await begin({ jobId: 'job_2', contentHash: 'content-2' });
        expect(await registry.publishVersion({ ...newer, ...finished })).toBe('published');
        expect(await other.publishVersion({ ...older, ...finished })).toBe('superseded');
        expect(await other.getDocument(tenant, older.documentId)).toMatchObject({
          version: 2,
          contentHash: 'content-2',
        });
        expect(await registry.staleVersions()).toHaveLength(1);
      });

      it('publishing twice is the same as once', async () => {
        const version = await publish();
        const before = await registry.getCollection(tenant, collection);
        expect(await other.publishVersion({ ...version, ...finished })).toBe('published');
        expect(await registry.getCollection(tenant, collection)).toEqual(before);
      });

      it('an overtaken job stays overtaken when delivered again, but as a new wish it counts', async () => {
        const first = await publish();
        await publish({ jobId: 'job_2', contentHash: 'content-2' });
        expect(await registry.beginVersion(asked({ resume: true }))).toEqual({
          outcome: 'superseded',
          documentId: first.documentId,
          version: 1,
          chunks: 3,
        });
        expect(await registry.beginVersion(asked())).toMatchObject({ outcome: 'begun', version: 3 });
      });

      it('needs its collection', async () => {
        await expect(registry.beginVersion(asked({ collection: 'nowhere' }))).rejects.toThrow(
          UnknownCollection,
        );
      });

      it('a failed first version makes the document failed; a failed later one leaves it ready', async () => {
        const error = { code: 'internal', message: 'the encoder is gone' };
        const first = await begin();
        await registry.failVersion({ ...first, error });
        expect(await other.getDocument(tenant, first.documentId)).toMatchObject({
          state: 'failed',
          lastError: error,
        });
        expect(await registry.publishVersion({ ...first, ...finished })).toBe('lost');
        const second = await publish();
        expect(second.version).toBe(2);
        expect(await other.getDocument(tenant, first.documentId)).toMatchObject({
          state: 'ready',
          lastError: null,
        });
        const third = await begin({ jobId: 'job_3', contentHash: 'content-3' });
        await registry.failVersion({ ...third, error });
        expect(await other.getDocument(tenant, first.documentId)).toMatchObject({
          state: 'ready',
          version: 2,
          lastError: error,
        });
        expect((await registry.staleVersions()).map((row) => row.version)).toEqual([1, 3]);
      });

      it('a failed version changes nothing that is visible already', async () => {
        const version = await publish();
        await registry.failVersion({ ...version, error: { code: 'internal', message: 'late' } });
        expect(await registry.getDocument(tenant, version.documentId)).toMatchObject({
          state: 'ready',
          lastError: null,
        });
      });

      it('a version nobody finishes is given up, not kept for ever', async () => {
        const version = await begin();
        await registry.noteStoredGroup({ ...version, firstOrdinal: 0, chunks: 16 });
        clock += 25 * 3_600_000;
        expect(await registry.staleVersions()).toEqual([]);
        clock += 1;
        expect(await registry.staleVersions()).toMatchObject([
          { documentId: version.documentId, version: 1 },
        ]);
        expect(await other.versionState(tenant, version.documentId, 1)).toBe('failed');
        expect(await other.storedGroups(tenant, version.documentId, 1)).toEqual([]);
        expect(await other.getDocument(tenant, version.documentId)).toMatchObject({ state: 'failed' });
      });

      it('a living version cannot be forgotten', async () => {
        const version = await publish();
        await registry.forgetVersion(tenant, version.documentId, 1);
        expect(await registry.versionState(tenant, version.documentId, 1)).toBe('visible');
      });
    });

    describe('deleting', () => {
      it('hides the document at once and frees its external id', async () => {
        const first = await publish();
        const building = await begin({ jobId: 'job_2', contentHash: 'content-2' });
        expect(await registry.deleteDocument(tenant, first.documentId)).toBe(true);
        expect(await other.getDocument(tenant, first.documentId)).toBeNull();
        expect(await other.findDocument(tenant, collection, 'a.md')).toBeNull();
        expect(await other.visibleVersions(tenant, collection)).toEqual([]);
        expect(await other.listDocuments(tenant)).toEqual([]);
        expect(await other.listDocuments(tenant, { state: 'deleting' })).toHaveLength(1);
        expect(await registry.publishVersion({ ...building, ...finished })).toBe('deleted');
        expect(await registry.deleteDocument(tenant, first.documentId)).toBe(false);
        const again = await publish({ jobId: 'job_3' });
        expect(again.documentId).not.toBe(first.documentId);
      });

      it('keeps the record until the last of its rows is purged', async () => {
        const first = await publish();
        await publish({ jobId: 'job_2', contentHash: 'content-2' });
        await registry.deleteDocument(tenant, first.documentId);
        const stale = await registry.staleVersions();
        expect(stale.map((row) => row.version)).toEqual([1, 2]);
        await registry.forgetVersion(tenant, first.documentId, 1);
        expect(await registry.listDocuments(tenant, { state: 'deleting' })).toHaveLength(1);
        await registry.forgetVersion(tenant, first.documentId, 2);
        expect(await registry.listDocuments(tenant, { state: 'deleting' })).toEqual([]);
        expect(
          await registry.publishVersion({ tenant, documentId: first.documentId, version: 2, ...finished }),
        ).toBe('lost');
      });
    });

    describe('tenants', () => {
      it('see and touch only what is theirs', async () => {
        const version = await publish();
        const { documentId } = version;
        const stranger = 'someone-else';
        expect(await registry.getDocument(stranger, documentId)).toBeNull();
        expect(await registry.listDocuments(stranger)).toEqual([]);
        expect(await registry.findDocument(stranger, collection, 'a.md')).toBeNull();
        expect(await registry.deleteDocument(stranger, documentId)).toBe(false);
        expect(await registry.versionState(stranger, documentId, 1)).toBeNull();
        expect(await registry.visibleVersions(stranger, collection)).toEqual([]);
        const next = await begin({ jobId: 'job_2', contentHash: 'content-2' });
        expect(await registry.publishVersion({ ...next, ...finished, tenant: stranger })).toBe('lost');
        await registry.failVersion({ ...next, tenant: stranger, error: { code: 'internal', message: 'no' } });
        expect(await registry.versionState(tenant, documentId, 2)).toBe('building');
        await registry.publishVersion({ ...next, ...finished });
        await registry.forgetVersion(stranger, documentId, 1);
        expect(await registry.versionState(tenant, documentId, 1)).toBe('superseded');
      });
    });

    describe('lists and changes', () => {
      it('pages through documents, newest first, also when many were made in one millisecond', async () => {
        const made: string[] = [];
        for (let index = 0; index < 7; index += 1) {
          if (index > 4) clock += 1;
          made.push((await begin({ externalId: `d${index}`, jobId: `job_${index}` })).documentId);
        }
        const seen: string[] = [];
        for (;;) {
          const after = seen.at(-1);
          const rows = await registry.listDocuments(tenant, {
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
        expect(await registry.listDocuments(tenant, { state: 'ready' })).toEqual([]);
      });

      it('the change counter stands still while nothing happens and moves with every connection’s writes', async () => {
        const counter = await registry.changeCounter();
        expect(await registry.changeCounter()).toBe(counter);
        await other.ensureCollection({ tenant, name: 'new' });
        const afterOther = await registry.changeCounter();
        expect(afterOther).not.toBe(counter);
        await registry.ensureCollection({ tenant, name: 'newer' });
        expect(await registry.changeCounter()).not.toBe(afterOther);
      });

      it("a collection's revision moves with what its searches may return, and not before", async () => {
        const revision = async () => (await registry.getCollection(tenant, collection))?.revision;
        const before = await revision();
        const version = await begin();
        expect(await revision()).toBe(before);
        await registry.publishVersion({ ...version, ...finished });
        const published = await revision();
        expect(published).not.toBe(before);
        await registry.deleteDocument(tenant, version.documentId);
        expect(await revision()).not.toBe(published);
      });
    });
  });
}
