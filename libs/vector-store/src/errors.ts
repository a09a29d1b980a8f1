import type { Scope, VectorModel } from './vector-store.ts';

/** Every error of a store says whether the same call can succeed later (`mayRetry`). */
export class VectorStoreError extends Error {
  readonly mayRetry: boolean;

  constructor(message: string, options: { mayRetry: boolean; cause?: unknown }) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.mayRetry = options.mayRetry;
  }
}

/** The store cannot be reached, is busy, or is owned by another process: the same call may succeed later. */
export class StoreUnavailable extends VectorStoreError {
  constructor(message: string, cause?: unknown) {
    super(message, { mayRetry: true, cause });
  }
}

/** The store answered and refused: wrong key, missing right, a request it does not understand. */
export class StoreRefused extends VectorStoreError {
  constructor(message: string, cause?: unknown) {
    super(message, { mayRetry: false, cause });
  }
}

export class UnknownCollection extends VectorStoreError {
  constructor(scope: Scope) {
    super(
      `tenant ${JSON.stringify(scope.tenant)} has no collection ${JSON.stringify(scope.collection)} in the vector store: ` +
        'the first group stored makes it',
      { mayRetry: false },
    );
  }
}

export class DimensionMismatch extends VectorStoreError {
  constructor(expected: number, actual: number) {
    super(
      `the collection holds vectors of ${expected} numbers, this one has ${actual}: ` +
        'embed with the model the collection was built with, or build a new collection',
      { mayRetry: false },
    );
  }
}

export class ModelMismatch extends VectorStoreError {
  constructor(existing: VectorModel, wanted: VectorModel) {
    super(
      `the collection was built with ${existing.modelFingerprint} (${existing.dimension} numbers), ` +
        `not with ${wanted.modelFingerprint} (${wanted.dimension} numbers): go back to that model, ` +
        'or ingest into a new collection',
      { mayRetry: false },
    );
  }
}

export class InvalidRow extends VectorStoreError {
  constructor(message: string) {
    super(message, { mayRetry: false });
  }
}
