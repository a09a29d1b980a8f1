import { expect, test } from 'vitest';
import { createAbsence } from './absent-server.ts';

test('a server is waited for ten seconds, and anew after it has been there', () => {
  const absence = createAbsence(() => 0.5);
  expect(absence.waitMs(1_000)).toBe(500);
  expect(absence.waitMs(10_999)).toBe(500);
  expect(absence.waitMs(11_000)).toBeNull();
  expect(absence.waitMs(20_000)).toBeNull();
  absence.over();
  expect(absence.waitMs(21_000)).toBe(500);
  expect(absence.waitMs(30_999)).toBe(500);
  expect(absence.waitMs(31_000)).toBeNull();
});

test('a server of which nothing was heard for long is waited for anew', () => {
  const absence = createAbsence(() => 0.5);
  expect(absence.waitMs(0)).toBe(500);
  expect(absence.waitMs(3_600_000)).toBe(500);
});

test('jobs that were refused together do not come back together', () => {
  const randoms = [0, 1];
  const absence = createAbsence(() => randoms.shift() ?? 0);
  expect([absence.waitMs(0), absence.waitMs(0)]).toEqual([250, 750]);
});
