import { describe, expect, it } from 'vitest';
import { readRetryAfter, retryDelayMs } from './retry-delay.ts';

describe('retryDelayMs', () => {
  it('grows from seconds to hours, anywhere below its step', () => {
    const longest = [1, 2, 3, 4, 5, 6, 7, 50].map((attempt) => retryDelayMs(attempt, null, () => 1));
    expect(longest).toEqual([5_000, 60_000, 300_000, 1_800_000, 7_200_000, ...Array(3).fill(28_800_000)]);
    expect(retryDelayMs(6, null, () => 0.25)).toBe(7_200_000);
    expect(retryDelayMs(6, null, () => 0)).toBe(1000);
  });

  it('waits as long as the receiver asks, but no longer than a day', () => {
    expect(retryDelayMs(1, 120_000, () => 1)).toBe(120_000);
    expect(retryDelayMs(5, 1000, () => 1)).toBe(7_200_000);
    expect(retryDelayMs(1, 1e12, () => 1)).toBe(86_400_000);
    expect(retryDelayMs(1, -5, () => 0)).toBe(1000);
  });
});

describe('readRetryAfter', () => {
  it('reads seconds and dates', () => {
    const now = Date.parse('2026-01-01T00:00:00Z');
    expect(readRetryAfter('120', now)).toBe(120_000);
    expect(readRetryAfter('Thu, 01 Jan 2026 00:01:00 GMT', now)).toBe(60_000);
    expect(readRetryAfter('Wed, 31 Dec 2025 00:01:00 GMT', now)).toBe(0);
    expect(readRetryAfter('soon', now)).toBeNull();
    expect(readRetryAfter(undefined, now)).toBeNull();
  });
});
