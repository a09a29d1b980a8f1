import type { RankedRow } from '@vortex/vector-store';

/** Where one way of searching put a row; null: not among its candidates. */
export interface Place {
  score: number;
  rank: number;
}

export interface Candidate {
  id: string;
  document_id: string;
  version: number;
  dense: Place | null;
  sparse: Place | null;
  fused: number | null;
}

/**
 * Reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009): each list gives a row 1 / (60 + rank). Scores of
 * cosine and BM25 need not be of one size for it. Equal sums (a row first here and second there, and one the other
 * way round) go by the cosine's rank, then by id, so that the same question has the same order every time.
 */
export function fuseRankings(dense: readonly RankedRow[], sparse: readonly RankedRow[]): Candidate[] {
  const byId = new Map<string, Candidate & { fused: number }>();
  const add = (rows: readonly RankedRow[], way: 'dense' | 'sparse') => {
    for (const [index, { id, document_id, version, score }] of rows.entries()) {
      const candidate = byId.get(id) ?? { id, document_id, version, dense: null, sparse: null, fused: 0 };
      candidate[way] = { score, rank: index + 1 };
      candidate.fused += 1 / (flatteningRank + index + 1);
      byId.set(id, candidate);
    }
  };
  add(dense, 'dense');
  add(sparse, 'sparse');
  const denseRank = (one: Candidate) => one.dense?.rank ?? Number.MAX_SAFE_INTEGER;
  return [...byId.values()].sort(
    (one, other) =>
      other.fused - one.fused || denseRank(one) - denseRank(other) || (one.id < other.id ? -1 : 1),
  );
}

/**
 * Those that hold the question word for word count as first in both rankings once more: before all that do not, and
 * among themselves as before.
 */
export function putFirst(fused: readonly Candidate[], quoting: ReadonlySet<string>): Candidate[] {
  const asFirst = 2 / (flatteningRank + 1);
  const first = fused.filter(({ id }) => quoting.has(id));
  return [
    ...first.map((candidate) => ({ ...candidate, fused: (candidate.fused ?? 0) + asFirst })),
    ...fused.filter(({ id }) => !quoting.has(id)),
  ];
}

/** The 60 of the paper: the larger, the less the first places outweigh the others. */
const flatteningRank = 60;

/** One ranking alone, in its own order. */
export function onlyRanking(rows: readonly RankedRow[], way: 'dense' | 'sparse'): Candidate[] {
  return rows.map(({ id, document_id, version, score }, index) => ({
    ...{ id, document_id, version, dense: null, sparse: null, fused: null },
    [way]: { score, rank: index + 1 },
  }));
}
