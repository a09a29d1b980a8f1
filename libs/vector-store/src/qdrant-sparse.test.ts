import { describe, expect, it } from 'vitest';
import { lexicalTerms } from './lexical-terms.ts';
import { sparseOfChunk, sparseOfQuestion, termIndex } from './qdrant-sparse.ts';

describe('BM25 as sparse vectors', () => {
  it('has a place for each word that never changes between releases: it is the key of what users have stored', () => {
    expect(['pump', 'warranti', '停电', 'öl'].map(termIndex)).toEqual([
      3046253945, 3949311714, 2876326010, 3848832003,
    ]);
  });

  it('gives a chunk each word once, with its part of the score', () => {
    const { indices, values } = sparseOfChunk({ context: '', text: 'Pumps pump; the pump of a boiler.' });
    expect(indices).toEqual(['pump', 'boiler'].map(termIndex));
    // Four terms where 95 are the average: (count × 2.2) / (count + 1.2 × (0.25 + 0.75 × 4 / 95)).
    expect(values[0]).toBeCloseTo((3 * 2.2) / (3 + 1.2 * (0.25 + (0.75 * 4) / 95)), 10);
    expect(values[1]).toBeCloseTo(2.2 / (1 + 1.2 * (0.25 + (0.75 * 4) / 95)), 10);
  });

  it('asks for words as often as the question has them, and for none that it has not', () => {
    expect(sparseOfQuestion('pump to pump of a boiler')).toEqual({
      indices: ['pump', 'boiler'].map(termIndex),
      values: [2, 1],
    });
    expect(sparseOfQuestion('what is it?')).toEqual({ indices: [], values: [] });
  });

  it('gives a chunk without words a place that no word has', () => {
    expect(sparseOfChunk({ context: '', text: '…' })).toEqual({ indices: [0], values: [1] });
    for (const term of lexicalTerms('one two three four five six seven')) expect(termIndex(term)).not.toBe(0);
  });
});
