import { expect, test } from 'vitest';
import { decimal } from './figures.ts';
import { linearScale, linearTicks, logDomain, logScale, logTicks, wholeTicks } from './scale.ts';

test('a scale puts the ends of its domain at the ends of its range', () => {
  const y = linearScale([0, 10], [100, 0]);
  expect([y(0), y(5), y(10)]).toEqual([100, 50, 0]);
  const x = logScale([1, 100], [0, 20]);
  expect([x(1), x(10), x(100), x(0)].map(Math.round)).toEqual([0, 10, 20, 0]);
  expect(linearScale([3, 3], [7, 9])(3)).toBe(7);
});

test('ticks are round, begin at zero and reach the largest value', () => {
  expect(linearTicks(1.75, 6)).toEqual([0, 0.5, 1, 1.5, 2]);
  expect(linearTicks(48, 5)).toEqual([0, 10, 20, 30, 40, 50]);
  expect(linearTicks(0, 5)).toEqual([0, 1]);
  for (const most of [0.003, 1, 7, 99, 12_345])
    expect(linearTicks(most, 5).at(-1)).toBeGreaterThanOrEqual(most);
});

test('what is counted has whole ticks', () => {
  expect(wholeTicks(1, 5)).toEqual([0, 1]);
  expect(wholeTicks(3, 5)).toEqual([0, 1, 2, 3]);
  expect(wholeTicks(11, 5)).toEqual([0, 3, 6, 9, 12]);
  expect(wholeTicks(48, 5)).toEqual([0, 10, 20, 30, 40, 50]);
});

test('a logarithmic axis has as many ticks as it has room for', () => {
  expect(logTicks([90, 1100], 8)).toEqual([100, 200, 500, 1000]);
  expect(logTicks([3, 2000], 6)).toEqual([3, 10, 30, 100, 300, 1000]);
  expect(logTicks([3, 2000], 3)).toEqual([10, 100, 1000]);
  expect(logDomain([])).toEqual([1, 1000]);
  const [from, to] = logDomain([5, 5]);
  expect(from).toBeLessThan(5);
  expect(to).toBeGreaterThan(5);
});

test('a narrow spread fills its axis, and has ticks', () => {
  const [from, to] = logDomain([480, 560]);
  expect(Math.log(560 / 480) / Math.log(to / from)).toBeGreaterThan(0.6);
  expect(logTicks([from, to], 5).length).toBeGreaterThanOrEqual(3);
  expect(logTicks([408, 644], 5)).toEqual([450, 500, 550, 600]);
});

test('ticks below a whole differ', () => {
  const labels = linearTicks(0.09, 5).map(decimal);
  expect(new Set(labels).size).toBe(labels.length);
});
