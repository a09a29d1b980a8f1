import { DimensionMismatch, InvalidRow } from './errors.ts';
import { rowId } from './row-id.ts';
import type { ChunkRow, Scope, StoredRow, VectorModel, VectorQuery } from './vector-store.ts';

/**
 * Rows ready to be written: with ids, checked as a whole before anything is stored, and one per id (the
 * last wins). LanceDB's merge leaves the outcome open when two new rows share an id.
 * @throws DimensionMismatch, InvalidRow
 */
export function checkRows(scope: Scope, model: VectorModel, rows: readonly ChunkRow[]): StoredRow[] {
  const byId = new Map<string, StoredRow>();
  for (const row of rows) {
    checkVector(model, row.vector, () => `row ${row.ordinal} of ${row.document_id} version ${row.version}`);
    const id = rowId(scope, row);
    // Half a surrogate pair cannot be written as UTF-8: JSON parsers refuse it, Arrow replaces it. Its
    // replacement has the same length, so that source spans stay true.
    byId.set(id, {
      ...row,
      id,
      text: row.text.toWellFormed(),
      context: row.context.toWellFormed(),
      title: row.title.toWellFormed(),
      heading_path: row.heading_path.map((heading) => heading.toWellFormed()),
    });
  }
  return [...byId.values()];
}

/** @throws DimensionMismatch, InvalidRow */
export function checkQuery(model: VectorModel, query: VectorQuery): void {
  checkQuestion(model, query.vector);
  checkLimit(query);
}

/** @throws DimensionMismatch, InvalidRow */
export function checkQuestion(model: VectorModel, vector: Float32Array): void {
  checkVector(model, vector, () => 'the query');
}

/** @throws InvalidRow */
export function checkLimit({ limit }: { limit: number }): void {
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000) {
    throw new InvalidRow(`limit must be a whole number from 1 to 1000, not ${limit}`);
  }
}

/** A cosine needs a direction: a zero vector has none, and one NaN makes every comparison false. */
function checkVector(model: VectorModel, vector: Float32Array, what: () => string): void {
  if (vector.length !== model.dimension) throw new DimensionMismatch(model.dimension, vector.length);
  let squares = 0;
  for (const value of vector) squares += value * value;
  if (!(squares > 0 && Number.isFinite(squares))) {
    throw new InvalidRow(`the vector of ${what()} is zero or not finite: it has no direction to compare`);
  }
}
