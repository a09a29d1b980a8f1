/**
 * BM25 (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009) with the parameters and the IDF
 * that LanceDB has fixed and Qdrant computes: scores of the three are of one size.
 */
const k1 = 1.2;
const b = 0.75;

/** How much a term says that stands in `rows` of `total` rows; above zero also for one that stands in all. */
export function inverseDocumentFrequency(rows: number, total: number): number {
  return Math.log(1 + (total - rows + 0.5) / (rows + 0.5));
}

/** A row's part of a term's score: `count` occurrences in a row of `relativeLength` times the average length. */
export function termFrequencyPart(count: number, relativeLength: number): number {
  return (count * (k1 + 1)) / (count + k1 * (1 - b + b * relativeLength));
}
