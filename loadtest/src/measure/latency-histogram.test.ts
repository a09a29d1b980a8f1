import { describe, expect, test } from 'vitest';
import { exponential, randomFor } from '../plan/random.ts';
import { createLatencyHistogram } from './latency-histogram.ts';
import { rankInterval } from './order-statistics.ts';

const count = 200_000;
function drawn(seed: number, draw: (random: () => number) => number) {
  const random = randomFor(seed, 'distribution');
  return createLatencyHistogram(Array.from({ length: count }, () => draw(random))).summary();
}
const normal = (random: () => number) =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

describe('known distributions come out within 2 %', () => {
  const within = (value: number | null, expected: number) =>
    expect(Math.abs((value ?? 0) / expected - 1)).toBeLessThan(0.02);

  test('exponential, mean 40 ms', () => {
    const figures = drawn(1, (random) => exponential(random) * 40);
    within(figures.p50.value_ms, 40 * Math.log(2));
    within(figures.p95.value_ms, 40 * Math.log(20));
    within(figures.p99.value_ms, 40 * Math.log(100));
    within(figures.mean_ms, 40);
  });

  test('log-normal, median 250 ms, sigma 0.4', () => {
    const figures = drawn(2, (random) => 250 * Math.exp(0.4 * normal(random)));
    within(figures.p50.value_ms, 250);
    within(figures.p95.value_ms, 250 * Math.exp(0.4 * 1.6449));
    within(figures.p99.value_ms, 250 * Math.exp(0.4 * 2.3263));
  });

  test('two humps: 97 % about 20 ms, 3 % about 2 s', () => {
    const figures = drawn(3, (random) => (random() < 0.97 ? 19 + 2 * random() : 1_900 + 200 * random()));
    within(figures.p50.value_ms, 20.03);
    within(figures.p95.value_ms, 20.96);
    within(figures.p99.value_ms, 2_033);
  });

  test('uniform, and from microseconds to an hour', () => {
    within(drawn(4, (random) => random() * 100).p99.value_ms, 99);
    expect(createLatencyHistogram([0.004]).summary().p50.value_ms).toBe(0.004);
    expect(createLatencyHistogram([3_000_000]).summary().p99.value_ms).toBe(3_000_000);
  });
});

test('small samples: exact ends and mean, the quantile is a sample', () => {
  const figures = createLatencyHistogram([10, 20, 30, 1000]).summary();
  expect(figures).toMatchObject({ count: 4, min_ms: 10, max_ms: 1000, mean_ms: 265 });
  expect(figures.p50.value_ms).toBeCloseTo(20, 1);
  expect(figures.p99).toEqual({ value_ms: 1000, low_ms: expect.any(Number), high_ms: null, resolved: false });
  expect(createLatencyHistogram().summary()).toMatchObject({ count: 0, min_ms: null, mean_ms: null });
});

test('two histograms added are one of all samples', () => {
  const all = createLatencyHistogram([1, 2, 3, 4, 5, 600]);
  const sum = createLatencyHistogram([1, 600, 3]);
  sum.add(createLatencyHistogram([4, 2, 5]));
  expect(sum.summary()).toEqual(all.summary());
});

describe('the interval of a quantile', () => {
  test.each([
    [0.5, 6],
    [0.95, 72],
    [0.99, 368],
    [0.999, 3_688],
  ])('of %d needs %i samples for an upper end', (probability, samples) => {
    expect(rankInterval(samples, probability).high).toBe(samples);
    expect(rankInterval(samples - 1, probability).high).toBeNull();
  });

  test('is the binomial one: n = 100, median: ranks 40 and 61', () => {
    expect(rankInterval(100, 0.5)).toEqual({ low: 40, high: 61 });
  });

  test('covers the true quantile in 95 % of 2000 samples', () => {
    const random = randomFor(9, 'coverage');
    let covered = 0;
    for (let round = 0; round < 2_000; round++) {
      const values = Array.from({ length: 500 }, random).sort((a, b) => a - b);
      const { low, high } = rankInterval(500, 0.99);
      if ((values[(low ?? 1) - 1] ?? 0) <= 0.99 && (values[(high ?? 500) - 1] ?? 1) >= 0.99) covered += 1;
    }
    expect(covered).toBeGreaterThan(1_880);
  });
});
