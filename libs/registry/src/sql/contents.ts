import type { ContentKind, Unreferenced } from '../records.ts';
import { text } from '../rows.ts';
import { all, type Row, type Steps } from './steps.ts';

/** Of these contents, those some version owns. */
export function* ownedOf(kind: ContentKind, hashes: readonly string[]): Steps<Set<string>> {
  if (hashes.length === 0) return new Set();
  const column = kind === 'original' ? 'original_hash' : 'text_hash';
  const rows = yield* all(`SELECT DISTINCT ${column} AS hash FROM versions WHERE ${column} IN :hashes`, {
    hashes,
  });
  return new Set(rows.map((row) => text(row, 'hash')));
}

/** What these rows of `versions`, gone or emptied by now, were the last to own. */
export function* unreferencedBy(gone: readonly Row[]): Steps<Unreferenced> {
  const originals = yield* notOwned('original', namesIn(gone, 'original_hash'));
  const texts = yield* notOwned('text', namesIn(gone, 'text_hash'));
  return { originals, texts };
}

function* notOwned(kind: ContentKind, hashes: readonly string[]): Steps<string[]> {
  const owned = yield* ownedOf(kind, hashes);
  return hashes.filter((hash) => !owned.has(hash));
}

function namesIn(rows: readonly Row[], column: string): string[] {
  const names = rows.map((row) => row[column]).filter((name) => typeof name === 'string');
  return [...new Set(names)];
}
