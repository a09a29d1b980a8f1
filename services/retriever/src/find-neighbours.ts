import type { Hit } from '@vortex/contracts';
import { rowId, type StoredChunk, type VectorStore } from '@vortex/vector-store';

export type Neighbours = NonNullable<Hit['neighbours']>;

/**
 * The chunks before and behind others of the same document version, `reach` on each side, by the id of the one in
 * the middle. Row ids follow from the ordinal, so that neighbours need no search: they are fetched.
 */
export async function findNeighbours(
  store: Pick<VectorStore, 'fetch'>,
  scope: { tenant: string; collection: string },
  chunks: readonly StoredChunk[],
  reach: number,
): Promise<Map<string, Neighbours>> {
  const idsAround = chunks.map(({ document_id, version, ordinal }) => {
    const at = (place: number) => rowId(scope, { document_id, version, ordinal: place });
    const first = Math.max(0, ordinal - reach);
    return {
      before: Array.from({ length: ordinal - first }, (_, index) => at(first + index)),
      after: Array.from({ length: reach }, (_, index) => at(ordinal + 1 + index)),
    };
  });
  const asked = new Set(idsAround.flatMap(({ before, after }) => [...before, ...after]));
  const fetched = new Map((await store.fetch(scope, [...asked])).map((chunk) => [chunk.id, chunk]));
  const shown = (ids: readonly string[]) =>
    ids.flatMap((id) => {
      const chunk = fetched.get(id);
      if (chunk === undefined) return [];
      const { chunk_id, text, page, source_span } = chunk;
      return [{ chunk_id, text, page, source_span }];
    });
  return new Map(
    chunks.map((chunk, index) => [
      chunk.id,
      { before: shown(idsAround[index]?.before ?? []), after: shown(idsAround[index]?.after ?? []) },
    ]),
  );
}
