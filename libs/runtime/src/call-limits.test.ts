import { describe, expect, test } from 'vitest';
import { callLimits } from './call-limits.ts';

const more = { remainingMs: 60_000, isLastTry: false, leastMs: 2000 };
const pool = { others: 2, first_token_ms: 1000, token_ms: 30 };

describe('callLimits', () => {
  test('three times what others need, five times their pace', () => {
    expect(callLimits(pool, more)).toEqual({
      firstTokenMs: 3000,
      perTokenMs: 150,
      paceAfterMs: 2000,
      giveUpMs: 3000,
    });
  });

  test('never less than what is configured, however fast the others are', () => {
    expect(callLimits({ others: 1, first_token_ms: 5, token_ms: 0 }, more)).toMatchObject({
      firstTokenMs: 2000,
      perTokenMs: 100,
      giveUpMs: 2000,
    });
  });

  test.each([
    ['alone', { ...pool, others: 0 }],
    ['beside others that nobody has measured', { others: 2 }],
  ])('%s nothing is late', (_name, alone) => {
    expect(callLimits(alone, more)).toMatchObject({ firstTokenMs: null, perTokenMs: null, giveUpMs: null });
  });

  test('the last try is waited for; its replica is blamed all the same', () => {
    expect(callLimits(pool, { ...more, isLastTry: true })).toMatchObject({
      firstTokenMs: 3000,
      giveUpMs: null,
    });
  });

  test('near the deadline half of the rest is for another replica, without blame', () => {
    expect(callLimits(pool, { ...more, remainingMs: 4000 })).toMatchObject({
      firstTokenMs: 3000,
      giveUpMs: 2000,
    });
    expect(callLimits(pool, { ...more, remainingMs: 1000 }).giveUpMs).toBe(1500);
  });
});
