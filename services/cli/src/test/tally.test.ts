import { describe, expect, it } from 'vitest';
import { judge } from './run-tests.ts';
import { closingLine, emptyTally, failureLines, parseTally, sumTallies } from './tally.ts';

describe('the sum of a test run', () => {
  it('counts what could not run as failed, and keeps the skipped with their reasons', () => {
    const total = sumTallies([
      { ...emptyTally, passed: 3 },
      {
        passed: 2,
        failed: [{ name: 'a > adds', message: 'expected 1 to be 2\nat a.test.ts:3' }],
        skipped: [{ name: 'a', reason: 'QDRANT_URL is not set' }],
        errors: ['b: did not load'],
      },
    ]);
    expect(total).toMatchObject({ passed: 5, errors: ['b: did not load'] });
    expect(failureLines(total)).toEqual([
      'failed: a > adds\n  expected 1 to be 2\n  at a.test.ts:3',
      'failed: b: did not load',
    ]);
    expect(closingLine(total)).toBe('5 passed, 2 failed, 1 skipped');
    expect(closingLine({ ...emptyTally, passed: 7 })).toBe('7 passed, 0 failed');
  });

  it('does not take a runner that broke for one that passed', () => {
    expect(judge('redis', 1, null).errors).toEqual(['tests: redis could not run (exit code 1)']);
    expect(judge('redis', 0, null).errors).toHaveLength(1);
    expect(judge('redis', 1, { ...emptyTally, passed: 9 }).errors).toHaveLength(1);
    expect(judge('redis', 1, { ...emptyTally, failed: [{ name: 'a', message: 'b' }] }).errors).toEqual([]);
    expect(judge('redis', 0, { ...emptyTally, passed: 9 })).toEqual({ ...emptyTally, passed: 9 });
  });

  it('reads a whole tally only', () => {
    expect(parseTally('{"passed": 1, "failed"')).toBeNull();
    expect(parseTally('{"passed": 1, "failed": []}')).toBeNull();
    expect(parseTally(JSON.stringify(emptyTally))).toEqual(emptyTally);
  });
});
