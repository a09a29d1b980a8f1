import { describe, expect, test } from 'vitest';
import { againstDistribution } from '../measure/kolmogorov-smirnov.ts';
import { type ArrivalPlan, arrivals, countedArrivals, steppedArrivals } from './arrivals.ts';

const gapsOf = (plan: Partial<ArrivalPlan>) => {
  const times = [
    ...arrivals({ mode: 'poisson', rate: 100, fromMs: 0, untilMs: 60_000, seed: 1, ...plan }),
  ].map(({ atMs }) => atMs);
  return times.slice(1).map((at, index) => at - (times[index] ?? 0));
};
const exponentialOfMean = (meanMs: number) => (gap: number) => 1 - Math.exp(-gap / meanMs);

describe('Poisson arrivals', () => {
  test.each([1, 2, 3, 4, 5])('have exponential gaps, by a KS test (seed %i)', (seed) => {
    const { pValue, distance } = againstDistribution(gapsOf({ seed }), exponentialOfMean(10));
    expect(pValue).toBeGreaterThan(0.01);
    expect(distance).toBeLessThan(0.025);
  });

  test('the KS test sees gaps that are not: a constant rate, another rate, gaps rounded to a timer tick', () => {
    expect(againstDistribution(gapsOf({ mode: 'constant' }), exponentialOfMean(10)).pValue).toBeLessThan(
      1e-6,
    );
    expect(againstDistribution(gapsOf({ rate: 90 }), exponentialOfMean(10)).pValue).toBeLessThan(1e-3);
    const ticked = gapsOf({}).map((gap) => Math.ceil(gap));
    expect(againstDistribution(ticked, exponentialOfMean(10)).pValue).toBeLessThan(1e-6);
  });

  test('are the same for the same seed and others for another', () => {
    expect(gapsOf({ seed: 7 })).toEqual(gapsOf({ seed: 7 }));
    expect(gapsOf({ seed: 7 })).not.toEqual(gapsOf({ seed: 8 }));
  });
});

test('counted arrivals are so many, and their gaps are those of a Poisson process', () => {
  const times = countedArrivals({ rate: 100, fromMs: 500, lengthMs: 60_000, step: 3, seed: 1 });
  expect(times).toHaveLength(6_000);
  const gaps = times.slice(1).map(({ atMs }, index) => atMs - (times[index]?.atMs ?? 0));
  expect(againstDistribution(gaps, exponentialOfMean(10)).pValue).toBeGreaterThan(0.01);
  expect(countedArrivals({ rate: 100, fromMs: 500, lengthMs: 60_000, step: 4, seed: 1 })).not.toEqual(times);
});

test('a constant rate does not drift', () => {
  const times = [...arrivals({ mode: 'constant', rate: 30, fromMs: 0, untilMs: 600_000, seed: 1 })];
  expect(times).toHaveLength(18_000);
  expect(times.at(-1)?.atMs).toBeCloseTo(600_000 - 1000 / 30, 6);
});

test('a number of requests counts from the end of the warm-up', () => {
  const plan = { mode: 'constant', rate: 10, fromMs: 0, untilMs: Number.POSITIVE_INFINITY, seed: 1 } as const;
  const times = [...arrivals({ ...plan, requests: 5, countFromMs: 1_000 })].map(({ atMs }) => atMs);
  expect(times).toHaveLength(15);
  expect(times.filter((at) => at >= 1_000)).toHaveLength(5);
});

test('steps follow each other, the first one behind the warm-up', () => {
  const plan = steppedArrivals({ rates: [50, 200], warmupMs: 2_000, stepMs: 10_000, seed: 1 });
  const inStep = (step: number) => plan.filter((arrival) => arrival.step === step);
  expect(inStep(0)).toHaveLength(600);
  expect(inStep(1)).toHaveLength(2_000);
  expect(inStep(1)[0]?.atMs).toBeGreaterThanOrEqual(12_000);
  expect(plan.map(({ atMs }) => atMs)).toEqual(plan.map(({ atMs }) => atMs).toSorted((a, b) => a - b));
});
