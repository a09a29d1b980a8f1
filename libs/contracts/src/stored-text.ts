import { visibleText } from './visible-text.ts';

/**
 * Text that is only shown, without what nobody sees, as both registries and UTF-8 can hold it: a half of a surrogate pair
 * and U+0000 become U+FFFD. JSON's `\ud83d` is legal and no Unicode, so a strict reader of a list in which it is echoed (Python, Go,
 * PostgreSQL) would refuse the whole list. Nothing becomes longer, so lengths still hold.
 */
export function storedText(text: string): string {
  return visibleText(text.toWellFormed()).replaceAll('\0', '\ufffd');
}

/**
 * Can both keep it? What names a document must be: two ids made the same would replace each other's documents. Ids that
 * nobody can tell apart are one (`externalId`).
 */
export function isStoredText(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0');
}

/** JSON with the same done to every string and key. */
export function storedJson(value: unknown): unknown {
  if (typeof value === 'string') return storedText(value);
  if (Array.isArray(value)) return value.map(storedJson);
  return typeof value === 'object' && value !== null ? storedRecord(value) : value;
}

export function storedRecord(record: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(record).map(([key, value]) => [storedText(key), storedJson(value)]),
  );
}

/** Levels of lists and objects, this one included; stops counting above `most`, for hostile JSON has thousands. */
export function isDeeperThan(most: number, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return most === 0 || Object.values(value).some((inner) => isDeeperThan(most - 1, inner));
}
