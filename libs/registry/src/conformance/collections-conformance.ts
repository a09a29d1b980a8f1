import { describe, expect, it } from 'vitest';
import {
  assertBound,
  CollectionDeleting,
  EmbeddingMismatch,
  UnknownCollection,
} from '../registry-failures.ts';
import { collection, finished, type RegistryUnderTest, start, tenant } from './fixture-conformance.ts';

export function collectionsConformance(underTest: RegistryUnderTest): void {
  describe('collections', () => {
    it('creates a collection once, and keeps the settings of the first time', async () => {
      const first = await underTest.registry.ensureCollection({
        tenant,
        name: 'new',
        chunkSize: 128,
        chunkOverlap: 16,
      });
      const second = await underTest.other.ensureCollection({ tenant, name: 'new', chunkSize: 64 });
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
      await underTest.registry.ensureCollection({ tenant, name: 'almanac' });
      await underTest.registry.ensureCollection({ tenant: 'someone-else', name: 'theirs' });
      await underTest.publish();
      await underTest.begin({ externalId: 'unfinished' });
      expect(await underTest.registry.listCollections(tenant)).toMatchObject([
        { name: 'almanac', documents: 0, chunks: 0, bytes: 0 },
        { name: collection, documents: 1, chunks: 3, bytes: 100 },
      ]);
    });

    it('binds a collection to the model of its first vectors and refuses another one', async () => {
      const model = { tenant, collection, embeddingModel: 'minilm', dimension: 384 };
      expect(await underTest.registry.bindModel(model)).toEqual({ outcome: 'bound' });
      expect(await underTest.other.bindModel(model)).toEqual({ outcome: 'unchanged' });
      const wrong = { ...model, embeddingModel: 'bge-small' };
      const binding = await underTest.other.bindModel(wrong);
      expect(binding).toEqual({
        outcome: 'mismatch',
        stored: { embeddingModel: 'minilm', dimension: 384 },
      });
      expect(() => assertBound(wrong, binding)).toThrow(EmbeddingMismatch);
      expect(() => assertBound(wrong, binding)).toThrow(
        /embedding\.model back .* or ingest its documents again/,
      );
      expect((await underTest.registry.bindModel({ ...model, dimension: 768 })).outcome).toBe('mismatch');
      expect(await underTest.registry.getCollection(tenant, collection)).toMatchObject({
        embeddingModel: 'minilm',
        dimension: 384,
      });
    });

    it('binds nothing in a collection that does not exist', async () => {
      const model = { tenant, collection: 'nowhere', embeddingModel: 'minilm', dimension: 384 };
      await expect(underTest.registry.bindModel(model)).rejects.toThrow(UnknownCollection);
    });
  });

  describe('changing and deleting collections', () => {
    it('creates only what is not there, bound to a model if asked', async () => {
      const { registry, other } = underTest;
      const model = { embeddingModel: 'minilm', dimension: 384 };
      const made = await registry.createCollection({
        tenant,
        name: 'new',
        chunkingStrategy: 'sentence',
        model,
      });
      expect(made).toMatchObject({ name: 'new', chunkingStrategy: 'sentence', ...model });
      expect(await other.createCollection({ tenant, name: 'new' })).toBeNull();
      expect(await other.summarizeCollection(tenant, 'new')).toEqual({
        ...made,
        documents: 0,
        chunks: 0,
        bytes: 0,
      });
      expect(await other.summarizeCollection(tenant, 'nowhere')).toBeNull();
      expect(await other.listTenants()).toEqual([tenant]);
    });

    it('changes what is given, back to the default with null, and moves the revision', async () => {
      const { registry, other } = underTest;
      const before = await registry.getCollection(tenant, collection);
      underTest.clock += 1;
      const changed = await registry.updateCollection(tenant, collection, {
        relevanceFloor: 0.25,
        chunkSize: 64,
      });
      expect(changed).toEqual({
        ...before,
        ...{
          relevanceFloor: 0.25,
          chunkSize: 64,
          revision: (before?.revision ?? 0) + 1,
          updatedAt: underTest.clock,
        },
      });
      const back = await other.updateCollection(tenant, collection, {
        chunkSize: null,
        chunkingStrategy: 'fixed',
      });
      expect(back).toMatchObject({ relevanceFloor: 0.25, chunkSize: null, chunkingStrategy: 'fixed' });
      expect(await other.resolveCollection(tenant, collection)).toEqual(back);
      expect(await other.updateCollection(tenant, 'nowhere', {})).toBeNull();
    });

    it('hides a deleted one at once and frees its name when its rows are gone', async () => {
      const { registry, other } = underTest;
      await underTest.publish();
      await underTest.begin({ externalId: 'b.md', jobId: 'job_2', contentHash: 'content-2' });
      expect(await other.resolveCollection(tenant, collection)).not.toBeNull();
      expect(await registry.deleteCollection('someone-else', collection)).toBeNull();
      expect(await registry.deleteCollection(tenant, collection)).toEqual({ documents: 2 });
      expect(await registry.deleteCollection(tenant, collection)).toBeNull();
      expect(await other.resolveCollection(tenant, collection)).toBeNull();
      expect(await other.getCollection(tenant, collection)).toBeNull();
      expect(await other.listCollections(tenant)).toEqual([]);
      expect(await other.listDocuments(tenant)).toEqual([]);
      expect(await other.visibleVersions(tenant, collection)).toEqual([]);
      expect(await other.createCollection({ tenant, name: collection })).toBeNull();
      await expect(other.ensureCollection({ tenant, name: collection })).rejects.toThrow(CollectionDeleting);
      expect((await other.claimJob('job_2')).outcome).toBe('over');
      // Its rows leave the store as a whole.
      expect(await other.staleVersions()).toEqual([]);
      expect(await other.staleCollections()).toEqual([{ tenant, name: collection }]);
      const gone = await registry.forgetCollection(tenant, collection);
      expect(gone.originals.sort()).toEqual(['content-1', 'content-2']);
      expect(gone.texts).toEqual(['text']);
      expect(await registry.forgetCollection(tenant, collection)).toEqual({ originals: [], texts: [] });
      expect(await other.staleCollections()).toEqual([]);
      expect(await other.getJob(tenant, 'job_2')).toMatchObject({ status: 'cancelled' });
      expect(await other.ensureCollection({ tenant, name: collection })).toMatchObject({ revision: 0 });
      expect((await underTest.begin({ jobId: 'job_3' })).version).toBe(1);
    });

    it('a living one cannot be forgotten', async () => {
      await underTest.publish();
      expect(await underTest.registry.forgetCollection(tenant, collection)).toEqual({
        originals: [],
        texts: [],
      });
      expect(await underTest.other.listDocuments(tenant)).toHaveLength(1);
    });
  });

  describe('what a read of a collection means', () => {
    it('is the collection itself, or unknown', async () => {
      expect((await underTest.registry.resolveCollection(tenant, collection))?.name).toBe(collection);
      expect(await underTest.registry.resolveCollection(tenant, 'nowhere')).toBeNull();
      expect(await underTest.registry.resolveCollection('someone-else', collection)).toBeNull();
    });

    it('default is never unknown', async () => {
      expect(await underTest.registry.resolveCollection(tenant, 'default')).toMatchObject({
        name: 'default',
        revision: 0,
      });
    });

    it('default means vortex-docs until it has a visible document, and again when it has lost its last', async () => {
      await underTest.registry.ensureCollection({ tenant, name: 'vortex-docs' });
      await underTest.registry.ensureCollection({ tenant, name: 'default' });
      const version = await underTest.begin({ collection: 'default' });
      expect((await underTest.other.resolveCollection(tenant, 'default'))?.name).toBe('vortex-docs');
      await underTest.registry.publishVersion({ ...version, ...finished });
      expect((await underTest.other.resolveCollection(tenant, 'default'))?.name).toBe('default');
      await underTest.registry.deleteDocument(tenant, version.documentId);
      expect((await underTest.other.resolveCollection(tenant, 'default'))?.name).toBe('vortex-docs');
    });

    it('default means nothing else for whoever may read it by its name only', async () => {
      const byNameOnly = { byNameOnly: true };
      await underTest.registry.ensureCollection({ tenant, name: 'vortex-docs' });
      expect(await underTest.registry.resolveCollection(tenant, 'default')).toMatchObject({
        name: 'vortex-docs',
      });
      expect(await underTest.registry.resolveCollection(tenant, 'default', byNameOnly)).toMatchObject({
        name: 'default',
        revision: 0,
      });
      expect(await underTest.registry.resolveCollection(tenant, 'nowhere', byNameOnly)).toBeNull();
    });

    it("default of one tenant does not mean another tenant's vortex-docs", async () => {
      await underTest.registry.ensureCollection({ tenant, name: 'vortex-docs' });
      expect((await underTest.registry.resolveCollection('someone-else', 'default'))?.name).toBe('default');
    });
  });
}
