import { StageFailure } from '@vortex/contracts';
import type { ModelBinding, ModelOfCollection } from './records.ts';

/** The collection named does not exist; `ensureCollection` makes it. */
export class UnknownCollection extends StageFailure {
  constructor(tenant: string, collection: string) {
    super(
      'collection_not_found',
      `tenant ${tenant} has no collection ${collection}; it is created by the first ingest into it`,
    );
    this.name = 'UnknownCollection';
  }
}

/** A collection of that name is being removed; soon its name is free again. */
export class CollectionDeleting extends StageFailure {
  readonly collection: string;

  constructor(collection: string) {
    super('collection_not_found', `collection ${collection} is being deleted; try again in a few seconds`, {
      mayRetry: true,
    });
    this.name = 'CollectionDeleting';
    this.collection = collection;
  }
}

/** The tenant has stored as much as whoever adds to it may have it store; nothing was kept. */
export class QuotaExceeded extends Error {
  readonly what: 'documents' | 'bytes';
  readonly allowed: number;

  constructor(what: 'documents' | 'bytes', allowed: number) {
    super(`no more than ${allowed} ${what} may be stored`);
    this.name = 'QuotaExceeded';
    this.what = what;
    this.allowed = allowed;
  }
}

/** What a person reads when vectors of two models would meet: what is stored, what came, and the two ways out. */
export class EmbeddingMismatch extends StageFailure {
  constructor(asked: ModelOfCollection, stored: { embeddingModel: string; dimension: number }) {
    super(
      'embedding_mismatch',
      `collection ${asked.collection} was built with ${stored.embeddingModel} (${stored.dimension} dimensions), ` +
        `not with ${asked.embeddingModel} (${asked.dimension}). Either set embedding.model back to the model it was ` +
        'built with, or ingest its documents again into a new collection.',
    );
    this.name = 'EmbeddingMismatch';
  }
}

/** Throws `EmbeddingMismatch` unless the binding holds. */
export function assertBound(asked: ModelOfCollection, binding: ModelBinding): void {
  if (binding.outcome === 'mismatch') throw new EmbeddingMismatch(asked, binding.stored);
}
