import { expect, it } from 'vitest';
import { seededRandom } from './seeded-random.ts';

const first = (seed: number, count: number) => {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => random());
};

// Bench corpora and replayed games are named by their seed: another sequence would be another corpus and another game.
it('gives the sequence it has always given', () => {
  expect(first(1, 3)).toEqual([0.6270739405881613, 0.002735721180215478, 0.5274470399599522]);
});

it('is the same again for the same seed, and another for the next', () => {
  expect(first(7, 50)).toEqual(first(7, 50));
  expect(first(7, 50)).not.toEqual(first(8, 50));
});

it('stays within 0 and 1, and leans to neither', () => {
  const numbers = first(42, 10_000);
  expect(numbers.every((number) => number >= 0 && number < 1)).toBe(true);
  const mean = numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
  expect(mean).toBeCloseTo(0.5, 1);
});
