import type { Collection } from '../records.ts';
import { collectionFrom } from '../rows.ts';
import { first, type Steps } from './steps.ts';

/** Null also while it is being deleted. */
export function* findCollection(tenant: string, name: string): Steps<Collection | null> {
  const row = yield* first(
    "SELECT * FROM collections WHERE tenant = :tenant AND name = :name AND state = 'active'",
    { tenant, name },
  );
  return row === undefined ? null : collectionFrom(row);
}
