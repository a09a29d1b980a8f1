import type { Chunk } from '@vortex/contracts';
import { termFrequencyPart } from './bm25.ts';
import { lexicalTerms, searchedText, termCounts } from './lexical-terms.ts';

/**
 * BM25 as sparse vectors: the stored one has each word's part of the score, Qdrant multiplies by the IDF (its
 * modifier `idf`, 1.10 and newer; counted over all rows of the Qdrant collection, whoever's they are). A row's part
 * depends on how long rows are on average, which a row cannot know when it is stored: the average is pinned.
 */
export interface SparseVector {
  indices: number[];
  values: number[];
}

/** Terms of a chunk of 190 tokens, measured on Cranfield: 95 of its 162 words are no stop words. */
const averageLength = 95;

export function sparseOfChunk(chunk: Pick<Chunk, 'context' | 'text'>): SparseVector {
  const terms = lexicalTerms(searchedText(chunk));
  const length = terms.length / averageLength;
  const sparse = sparseOf(terms, (count) => termFrequencyPart(count, length));
  // A row without words has a vector all the same, of an index that no word has: it counts as searched.
  return sparse.indices.length > 0 ? sparse : { indices: [wordless], values: [1] };
}

/** Empty for a question without words. */
export function sparseOfQuestion(text: string): SparseVector {
  return sparseOf(lexicalTerms(text), (count) => count);
}

function sparseOf(terms: readonly string[], partOf: (count: number) => number): SparseVector {
  const values = new Map<number, number>();
  for (const [term, count] of termCounts(terms)) {
    const index = termIndex(term);
    values.set(index, (values.get(index) ?? 0) + partOf(count));
  }
  return { indices: [...values.keys()], values: [...values.values()] };
}

const wordless = 0;

/**
 * A word's place: 32-bit FNV-1a over its UTF-16 units, mixed as MurmurHash3 ends. Among 100,000 words one pair is
 * expected to share a place; they then count as one word.
 */
export function termIndex(term: string): number {
  let hash = 0x811c9dc5;
  for (let place = 0; place < term.length; place += 1) {
    hash = Math.imul(hash ^ term.charCodeAt(place), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  hash = (hash ^ (hash >>> 16)) >>> 0;
  return hash === wordless ? 1 : hash;
}
