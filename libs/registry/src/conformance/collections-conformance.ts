import { describe, expect, it } from 'vitest';
import { assertBound, EmbeddingMismatch, UnknownCollection } from '../registry-failures.ts';
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

    it("default of one tenant does not mean another tenant's vortex-docs", async () => {
      await underTest.registry.ensureCollection({ tenant, name: 'vortex-docs' });
      expect((await underTest.registry.resolveCollection('someone-else', 'default'))?.name).toBe('default');
    });
  });
}
