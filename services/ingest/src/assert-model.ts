import { assertBound, type Collection } from '@vortex/registry';

/** The encoder's model: what its vectors are called, and how long they are. */
export interface EncoderModel {
  fingerprint: string;
  dimension: number;
}

/**
 * Before any work: the store would refuse the first group anyway (it binds the collection to its model).
 * @throws EmbeddingMismatch
 */
export function assertModel(collection: Collection | null, model: EncoderModel): void {
  if (collection === null || collection.embeddingModel === null || collection.dimension === null) return;
  const { fingerprint: embeddingModel, dimension } = model;
  const stored = { embeddingModel: collection.embeddingModel, dimension: collection.dimension };
  const asked = { tenant: collection.tenant, collection: collection.name, embeddingModel, dimension };
  const same = stored.embeddingModel === embeddingModel && stored.dimension === dimension;
  assertBound(asked, same ? { outcome: 'unchanged' } : { outcome: 'mismatch', stored });
}
