/** Relevance grades by document id, of one question. */
export type Judgements = ReadonlyMap<string, number>;

/**
 * Normalised discounted cumulative gain of the first `depth` (Järvelin and Kekäläinen 2002, with the gains of Burges et
 * al. 2005): a document of grade g at place i adds (2^g − 1) / log2(i + 1); the sum is divided by that of the best
 * possible order. 0 when nothing is relevant.
 */
export function ndcg(ranking: readonly string[], judgements: Judgements, depth: number): number {
  const best = [...judgements.values()].sort((one, other) => other - one);
  const ideal = discountedGain(best.slice(0, depth));
  if (ideal === 0) return 0;
  return discountedGain(ranking.slice(0, depth).map((id) => judgements.get(id) ?? 0)) / ideal;
}

/** The share of the relevant documents (grade above 0) that are among the first `depth`. */
export function recall(ranking: readonly string[], judgements: Judgements, depth: number): number {
  const relevant = relevantOf(judgements);
  if (relevant.size === 0) return 0;
  return ranking.slice(0, depth).filter((id) => relevant.has(id)).length / relevant.size;
}

/** One by the place of the first relevant document; 0 when there is none among the first `depth`. */
export function reciprocalRank(ranking: readonly string[], judgements: Judgements, depth: number): number {
  const relevant = relevantOf(judgements);
  const place = ranking.slice(0, depth).findIndex((id) => relevant.has(id));
  return place < 0 ? 0 : 1 / (place + 1);
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function discountedGain(grades: readonly number[]): number {
  return grades.reduce((sum, grade, index) => sum + gain(grade) / Math.log2(index + 2), 0);
}

/** Judges who mark harm with negative grades mean "not relevant". */
function gain(grade: number): number {
  return grade > 0 ? 2 ** grade - 1 : 0;
}

function relevantOf(judgements: Judgements): Set<string> {
  return new Set([...judgements].flatMap(([id, grade]) => (grade > 0 ? [id] : [])));
}
