import { BestRows, type ScoredId } from './best-rows.ts';
import { keyFilter } from './row-filter.ts';
import { versionKey } from './row-id.ts';
import { VectorMatrix } from './vector-matrix.ts';
import type { DocumentVersion, RowFilter, StoredRow } from './vector-store.ts';

/** A row of the matrix: what a search must know of it. */
interface Entry extends DocumentVersion {
  id: string;
  key: string;
}

/** One collection's vectors in memory, searched by looking at every one of them. */
export class ExactIndex {
  readonly #matrix: VectorMatrix;
  readonly #entries: Entry[] = [];
  readonly #rowOf = new Map<string, number>();

  constructor(dimension: number) {
    this.#matrix = new VectorMatrix(dimension);
  }

  get size(): number {
    return this.#entries.length;
  }

  get bytes(): number {
    // An entry with its id and its place in the map, measured on 10,000 rows: 0.2 kB.
    return this.#matrix.bytes + this.#entries.length * 200;
  }

  has(id: string): boolean {
    return this.#rowOf.has(id);
  }

  put(rows: readonly Pick<StoredRow, 'id' | 'document_id' | 'version' | 'vector'>[]): void {
    const keys = new Map<string, string>();
    for (const { id, document_id, version, vector } of rows) {
      const key = versionKey({ document_id, version });
      // One string for all rows of a version.
      const shared = keys.get(key) ?? key;
      keys.set(key, shared);
      const row = this.#rowOf.get(id) ?? this.#entries.length;
      this.#matrix.set(row, vector);
      this.#entries[row] = { id, document_id, version, key: shared };
      this.#rowOf.set(id, row);
    }
  }

  /** Removes what `gone` says yes to; returns the ids. */
  remove(gone: (version: DocumentVersion) => boolean): string[] {
    const ids = this.#entries.filter(gone).map((entry) => entry.id);
    for (const id of ids) {
      const row = this.#rowOf.get(id);
      const last = this.#entries.pop();
      if (row === undefined || last === undefined) continue;
      this.#matrix.remove(row);
      this.#rowOf.delete(id);
      if (last.id === id) continue;
      this.#entries[row] = last;
      this.#rowOf.set(last.id, row);
    }
    return ids;
  }

  versionOf(id: string): DocumentVersion | undefined {
    return this.#entries[this.#rowOf.get(id) ?? -1];
  }

  /** The `limit` best rows that may be seen, best first; equal ones in order of their ids. */
  search(vector: Float32Array, limit: number, filter: RowFilter = {}): ScoredId[] {
    const scores = this.#matrix.cosines(vector);
    const mayBeSeen = keyFilter(filter);
    const best = new BestRows(limit);
    for (let row = 0; row < scores.length; row += 1) {
      const score = scores[row] ?? -Infinity;
      if (score < best.bar) continue;
      const entry = this.#entries[row];
      if (entry === undefined || mayBeSeen?.(entry.key) === false) continue;
      best.offer({ id: entry.id, score });
    }
    return best.rows;
  }

  /** Of those that are there. All rows are compared: at 10,000 that is 0.27 ms, and the kernel knows no other way. */
  cosines(vector: Float32Array, ids: readonly string[]): Map<string, number> {
    const scores = this.#matrix.cosines(vector);
    const found = new Map<string, number>();
    for (const id of ids) {
      const score = scores[this.#rowOf.get(id) ?? -1];
      if (score !== undefined) found.set(id, score);
    }
    return found;
  }
}
