import { versionKey } from './row-id.ts';
import { VectorMatrix } from './vector-matrix.ts';
import type { DocumentVersion, StoredRow } from './vector-store.ts';

/** A row of the matrix: what a search must know of it. */
interface Entry extends DocumentVersion {
  id: string;
}

export interface ScoredId {
  id: string;
  score: number;
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
    for (const { id, document_id, version, vector } of rows) {
      const row = this.#rowOf.get(id) ?? this.#entries.length;
      this.#matrix.set(row, vector);
      this.#entries[row] = { id, document_id, version };
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

  /** The `limit` best rows that are not of an excluded version, best first; equal ones in order of their ids. */
  search(vector: Float32Array, limit: number, excluded: readonly DocumentVersion[] = []): ScoredId[] {
    const scores = this.#matrix.cosines(vector);
    const hidden = new Set(excluded.map(versionKey));
    const best: ScoredId[] = [];
    // What a row must beat. Most rows fail this one comparison; only the others are looked at closer.
    let bar = -Infinity;
    for (let row = 0; row < scores.length; row += 1) {
      const score = scores[row] ?? -Infinity;
      if (score < bar) continue;
      const entry = this.#entries[row];
      if (entry === undefined || (hidden.size > 0 && hidden.has(versionKey(entry)))) continue;
      insert(best, { id: entry.id, score });
      if (best.length > limit) best.pop();
      if (best.length === limit) bar = best[limit - 1]?.score ?? bar;
    }
    return best;
  }
}

/** By bisection: a limit may be 1,000. */
function insert(best: ScoredId[], candidate: ScoredId): void {
  let [low, high] = [0, best.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const other = best[middle];
    if (other !== undefined && isBetter(other, candidate)) low = middle + 1;
    else high = middle;
  }
  best.splice(low, 0, candidate);
}

function isBetter(one: ScoredId, other: ScoredId): boolean {
  return one.score > other.score || (one.score === other.score && one.id < other.id);
}
