/**
 * When a LanceDB table is tidied and indexed, as numbers and pure functions. The measurements are in
 * docs/decisions/0004-vector-store-adapters.md.
 */
export interface UpkeepLimits {
  /** Rows from which an HNSW index pays: a flat search costs 3.4 ms of CPU at 1,400 rows, HNSW 2.1–2.8 ms. */
  indexFromRows: number;
  /** Every write adds a file and a version; past this many the table is tidied at once, writes or not. */
  tidyAtCommits: number;
  /** Writes have settled after this long without one. */
  settleMs: number;
  /** Old versions are kept this long for searches that still read them. */
  keepVersionsMs: number;
}

export const upkeepLimits: UpkeepLimits = {
  indexFromRows: 2500,
  tidyAtCommits: 64,
  settleMs: 2000,
  keepVersionsMs: 30_000,
};

/** Few new rows are found by scanning them; tidying after every small document would grow a segment each time. */
const settledCommits = 8;
const idleFactor = 15;

/** Milliseconds until upkeep, given the writes since the last one; 0 means now. */
export function upkeepDelayMs(commits: number, limits: UpkeepLimits): number {
  if (commits >= limits.tidyAtCommits) return 0;
  return commits >= settledCommits ? limits.settleMs : limits.settleMs * idleFactor;
}

/**
 * Whether to build the index anew. Tidying adds new rows as a segment of their own, and each segment is
 * searched: ten cost 6.2 ms where one cost 4.8. `rowsAtBuild` is null when this process did not build it.
 */
export function needsBuild(
  state: { rows: number; segments: number; rowsAtBuild: number | null },
  limits: UpkeepLimits,
): boolean {
  if (state.rows < limits.indexFromRows) return false;
  if (state.segments === 0 || state.segments > 16) return true;
  return state.rowsAtBuild !== null && state.rows >= state.rowsAtBuild * 1.5;
}
