import { versionKey } from './row-id.ts';
import type { DocumentVersion, RowFilter } from './vector-store.ts';

/** Whether rows of a version (by its key) may be returned; null when all may. */
export function keyFilter({ included, excluded }: RowFilter): ((key: string) => boolean) | null {
  const [only, hidden] = [included && keysOf(included), excluded?.length ? keysOf(excluded) : undefined];
  if (only === undefined && hidden === undefined) return null;
  return (key) => (only === undefined || only.has(key)) && !hidden?.has(key);
}

/** A list comes again with every search as long as nothing changes, and may name thousands: its set is kept with it. */
const known = new WeakMap<readonly DocumentVersion[], Set<string>>();

function keysOf(versions: readonly DocumentVersion[]): Set<string> {
  let keys = known.get(versions);
  if (keys === undefined) {
    keys = new Set(versions.map(versionKey));
    known.set(versions, keys);
  }
  return keys;
}
