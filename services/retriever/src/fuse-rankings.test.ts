import { expect, it } from 'vitest';
import { fuseRankings, putFirst } from './fuse-rankings.ts';

const row = (id: string, score: number) => ({ id, document_id: id, version: 1, score });

it('adds 1 / (60 + rank) of each list, and says where each had a row', () => {
  const fused = fuseRankings([row('a', 0.9), row('b', 0.8)], [row('b', 7), row('c', 5)]);
  expect(fused.map(({ id }) => id)).toEqual(['b', 'a', 'c']);
  expect(fused[0]).toMatchObject({ dense: { score: 0.8, rank: 2 }, sparse: { score: 7, rank: 1 } });
  expect(fused.map(({ fused: sum }) => sum)).toEqual([1 / 62 + 1 / 61, 1 / 61, 1 / 62]);
  expect(fused[2]).toMatchObject({ dense: null, sparse: { score: 5, rank: 2 } });
});

it('orders equal sums by the rank of the cosine, then by id', () => {
  const dense = [row('b', 0.9), row('a', 0.8)];
  const sparse = [row('a', 7), row('b', 5), row('z', 1), row('y', 1)];
  expect(fuseRankings(dense, sparse).map(({ id }) => id)).toEqual(['b', 'a', 'z', 'y']);
  expect(fuseRankings([row('p', 1)], [row('o', 1)]).map(({ id }) => id)).toEqual(['p', 'o']);
});

it('of nothing is nothing', () => {
  expect(fuseRankings([], [])).toEqual([]);
});

it('puts quotations before all others, with more than first places in both lists give', () => {
  const dense = [row('a', 0.9), row('b', 0.8), row('c', 0.7)];
  const fused = fuseRankings(dense, [row('a', 7), row('b', 5), row('d', 3)]);
  const [first, second, third] = putFirst(fused, new Set(['d', 'b']));
  expect([first?.id, second?.id, third?.id]).toEqual(['b', 'd', 'a']);
  expect([first?.fused, second?.fused, third?.fused]).toEqual([2 / 62 + 2 / 61, 1 / 63 + 2 / 61, 2 / 61]);
});
