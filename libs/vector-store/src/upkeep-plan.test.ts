import { expect, it } from 'vitest';
import { needsBuild, upkeepDelayMs, upkeepLimits } from './upkeep-plan.ts';

it('tidies at once when writes pile up, soon when several have settled, later when there were few', () => {
  expect(upkeepDelayMs(64, upkeepLimits)).toBe(0);
  expect(upkeepDelayMs(20, upkeepLimits)).toBe(2000);
  expect(upkeepDelayMs(1, upkeepLimits)).toBe(30_000);
});

it('builds the index first when it pays, then when it grew by half or lies in too many segments', () => {
  const built = { rows: 4000, segments: 1, rowsAtBuild: 3000 };
  expect(needsBuild({ rows: 2499, segments: 0, rowsAtBuild: null }, upkeepLimits)).toBe(false);
  expect(needsBuild({ rows: 2500, segments: 0, rowsAtBuild: null }, upkeepLimits)).toBe(true);
  expect(needsBuild(built, upkeepLimits)).toBe(false);
  expect(needsBuild({ ...built, rows: 4500 }, upkeepLimits)).toBe(true);
  expect(needsBuild({ ...built, segments: 17 }, upkeepLimits)).toBe(true);
  expect(needsBuild({ ...built, rows: 9000, rowsAtBuild: null }, upkeepLimits)).toBe(false);
  expect(needsBuild({ rows: 100, segments: 20, rowsAtBuild: 3000 }, upkeepLimits)).toBe(false);
});
