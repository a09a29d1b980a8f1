import { describe, expect, test } from 'vitest';
import type { RateStep } from '../figures-schema.ts';
import { createLatencyHistogram } from '../measure/latency-histogram.ts';
import { randomFor } from '../plan/random.ts';
import { findLimit, searchResultOf } from './find-limit.ts';

/** A target that holds up to `capacity`; each verdict is wrong by chance with the given probability. */
function search(capacity: number, wrong = 0, seed = 1) {
  const random = randomFor(seed, 'search');
  const probed: string[] = [];
  const probe = async (rate: number, purpose: RateStep['purpose']): Promise<RateStep> => {
    const passed = rate <= capacity !== random() < wrong;
    probed.push(`${purpose} ${rate.toFixed(0)}`);
    // As M/M/1: the nearer the limit, the longer.
    const latencyMs = 100 / Math.max(0.01, 1 - rate / (capacity * 1.05));
    return {
      step: probed.length - 1,
      rate,
      purpose,
      offered: 100,
      achieved_ratio: 1,
      throughput_per_second: Math.min(rate, capacity),
      goodput_per_second: rate,
      error_ratio: 0,
      dropped: 0,
      response: createLatencyHistogram(Array.from({ length: 400 }, () => latencyMs)).summary(),
      lag_p99_ms: 1,
      in_flight_slope: 0,
      growing: false,
      passed,
      reasons: passed ? [] : ['not p99<3s'],
    };
  };
  const options = { startRate: 10, maxRate: 2_000, tolerance: 0.05, note: () => {} };
  return { probed, found: findLimit({ ...options, probe }) };
}

describe('the highest rate that holds', () => {
  test.each([3, 11, 37, 118, 450, 1_900])('is found within its tolerance: %i/s', async (capacity) => {
    const { found } = search(capacity);
    const { foundRate, failedRate, confirmed } = await found;
    expect(foundRate).toBeLessThanOrEqual(capacity);
    expect(foundRate).toBeGreaterThan(capacity * 0.95);
    expect(failedRate).toBeGreaterThan(capacity);
    expect(confirmed).toBe(true);
  });

  test('doubles, bisects, confirms, and shows that a tenth more fails', async () => {
    const { probed, found } = search(118);
    await found;
    const order = [...new Set(probed.map((line) => line.split(' ')[0]))];
    expect(order).toEqual(['doubling', 'bisection', 'confirm', 'above']);
    expect(probed.slice(0, 6)).toEqual([
      'doubling 10',
      'doubling 20',
      'doubling 40',
      'doubling 80',
      'doubling 160',
      'doubling 160',
    ]);
    expect(probed.length).toBeLessThan(22);
  });

  test('is found within a fifth although every tenth verdict is wrong', async () => {
    for (let seed = 1; seed <= 40; seed++) {
      const { foundRate } = await search(118, 0.1, seed).found;
      expect(foundRate).toBeGreaterThan(118 * 0.8);
      expect(foundRate).toBeLessThan(118 * 1.2);
    }
  });

  test('is not invented: nothing holds, or everything does', async () => {
    const none = await search(0.1).found;
    expect(none).toMatchObject({ foundRate: null, confirmed: false });
    expect(searchResultOf(none, 'p99<3s').sentence).toContain('does not even hold');
    const all = await search(1e9).found;
    expect(all).toMatchObject({ foundRate: 2_000, failedRate: null, confirmed: true });
    expect(searchResultOf(all, 'p99<3s').sentence).toContain('or more (the highest rate tried)');
    // Interrupted in the middle of the doubling: nothing failed yet, and nothing is said of what lies above.
    const cut = searchResultOf({ ...all, foundRate: 40, confirmed: false, confirmStep: null }, 'p99<3s');
    expect(cut.sentence).toMatch(/^This stack holds 40\.0 queries\/s at P99 ≤ 3 s \(not confirmed\)/);
  });

  test('is said in a sentence, with the rate of the best trade', async () => {
    const result = searchResultOf(await search(118).found, 'p99<3s,err<1%');
    expect(result.sentence).toMatch(
      /^This stack holds 11\d\.\d queries\/s at P99 ≤ 3 s, errors ≤ 1 %\. Best rate/,
    );
    expect(result.knee_rate).toBeLessThan(118);
  });
});
