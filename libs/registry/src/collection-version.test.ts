import { expect, it } from 'vitest';
import { collectionVersion } from './collection-version.ts';
import type { Collection } from './records.ts';

const collection: Collection = {
  ...{ tenant: 'default', name: 'notes', embeddingModel: null, dimension: null, relevanceFloor: null },
  ...{ chunkSize: null, chunkOverlap: null, chunkingStrategy: null },
  ...{ revision: 3, createdAt: 1000, updatedAt: 2000 },
};

it('names a state of a collection: each part of it makes another name', () => {
  const others = [{}, { name: 'other' }, { revision: 4 }, { createdAt: 1001 }, { updatedAt: 2001 }];
  const names = others.map((change) => collectionVersion({ ...collection, ...change }));
  expect(new Set(names).size).toBe(others.length);
});

it('has no name for a collection that never had a document', () => {
  expect(collectionVersion({ ...collection, revision: 0 })).toBe(null);
});
