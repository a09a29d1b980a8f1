import { describe, expect, it } from 'vitest';
import { mean, ndcg, recall, reciprocalRank } from './ranking-metrics.ts';

const judgements = new Map([
  ['a', 3],
  ['b', 1],
  ['c', 0],
  ['d', 2],
]);

describe('nDCG', () => {
  it('is what the formula gives by hand', () => {
    // Gains 7, 1, 0, 3. Ranking b, x, a: 1 / log2(2) + 7 / log2(4) = 4.5. Best: 7 + 3 / log2(3) + 1 / log2(4).
    expect(ndcg(['b', 'x', 'a'], judgements, 10)).toBeCloseTo(4.5 / (7 + 3 / 1.584962500721156 + 0.5), 10);
    expect(ndcg(['b', 'x', 'a'], judgements, 10)).toBeCloseTo(0.479091, 5);
  });

  it('is 1 for the best order, 0 for nothing relevant, and looks no deeper than asked', () => {
    expect(ndcg(['a', 'd', 'b', 'x'], judgements, 10)).toBeCloseTo(1, 10);
    expect(ndcg(['x', 'c'], judgements, 10)).toBe(0);
    expect(ndcg(['x', 'a'], judgements, 1)).toBe(0);
    // The best possible first two are a and d.
    expect(ndcg(['a', 'd'], judgements, 2)).toBeCloseTo(1, 10);
    expect(ndcg([], judgements, 10)).toBe(0);
    expect(ndcg(['c'], new Map([['c', 0]]), 10)).toBe(0);
    expect(
      ndcg(
        ['a', 'n'],
        new Map([
          ['a', 1],
          ['n', -2],
        ]),
        10,
      ),
    ).toBe(1);
  });
});

it('recall counts what is relevant among the first', () => {
  expect(recall(['a', 'x', 'c', 'b'], judgements, 100)).toBeCloseTo(2 / 3, 10);
  expect(recall(['a', 'x', 'c', 'b'], judgements, 3)).toBeCloseTo(1 / 3, 10);
  expect(recall(['x'], new Map([['c', 0]]), 100)).toBe(0);
});

it('reciprocal rank looks for the first relevant one', () => {
  expect(reciprocalRank(['x', 'c', 'b', 'a'], judgements, 10)).toBeCloseTo(1 / 3, 10);
  expect(reciprocalRank(['x', 'c', 'b', 'a'], judgements, 2)).toBe(0);
});

it('mean', () => {
  expect(mean([1, 0, 0.5])).toBe(0.5);
});
