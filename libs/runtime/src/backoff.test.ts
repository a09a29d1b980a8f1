import { expect, test } from 'vitest';
import { retryDelayMs } from './backoff.ts';

test('the bound doubles with each attempt and jitter takes anything below it', () => {
  const most = [1, 2, 3, 4].map((attempt) => retryDelayMs(attempt, 60_000, () => 1));
  expect(most).toEqual([200, 400, 800, 1600]);
  expect(retryDelayMs(4, 60_000, () => 0)).toBe(0);
  expect(retryDelayMs(4, 60_000, () => 0.5)).toBe(800);
});

test('never more than ten seconds, never beyond the deadline', () => {
  expect(retryDelayMs(20, 3_600_000, () => 1)).toBe(10_000);
  expect(retryDelayMs(4, 300, () => 1)).toBe(250);
});

test('too late for another try', () => {
  expect(retryDelayMs(1, 49, () => 0)).toBeNull();
  expect(retryDelayMs(1, -5, () => 0)).toBeNull();
});
