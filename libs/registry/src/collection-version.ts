import type { Collection } from './records.ts';

/**
 * Names one state of one collection: it moves in the same commit in which a document version becomes visible or
 * invisible or a setting changes. `createdAt` tells a collection from one of the same name that was deleted;
 * `updatedAt` tells a revision from the one of the same number that a restored backup comes to again.
 * Null: nothing has ever been stored there, so that there is no state to name.
 */
export function collectionVersion(collection: Collection): string | null {
  const { name, createdAt, updatedAt, revision } = collection;
  return revision === 0 ? null : `${name}@${createdAt}.${updatedAt}.${revision}`;
}
