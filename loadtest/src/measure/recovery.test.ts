import { describe, expect, test } from 'vitest';
import type { TimelinePoint } from '../figures-schema.ts';
import { judgeMarks } from './recovery.ts';

/** A minute of 40 answers a second with a P95 of 300 ms, but for the seconds named. */
function minute(changed: Record<number, Partial<TimelinePoint>> = {}): TimelinePoint[] {
  return Array.from({ length: 61 }, (_, second) => ({
    second,
    phase: 'measured',
    offered: 40,
    sent: 40,
    ok: 40,
    failed: {},
    in_flight: 12,
    p50_ms: 260,
    p95_ms: 300,
    p99_ms: 310,
    max_ms: 320,
    stages_ms: {},
    ...changed[second],
  }));
}
const nothing: Partial<TimelinePoint> = {
  ok: 0,
  p50_ms: null,
  p95_ms: null,
  p99_ms: null,
  max_ms: null,
};
const slow = { p95_ms: 2_500, max_ms: 4_100 };
const judge = (points: TimelinePoint[], ...times: number[]) =>
  judgeMarks(
    times.map((atMs) => ({ atMs, text: `at ${atMs}` })),
    points,
  );

describe('a mark', () => {
  test('without an effect has none', () => {
    expect(judge(minute(), 20_400)).toEqual([
      {
        at_ms: 20_400,
        text: 'at 20400',
        before_p95_ms: 300,
        effect: 'none',
        worst_ms: null,
        failed: 0,
        recovered_after_ms: 0,
      },
    ]);
  });

  test('lasts from its moment to the end of the last second that is off: slow, failing or silent', () => {
    const points = minute({ 20: nothing, 21: { ok: 38, failed: { server_error: 2 } }, 26: slow });
    expect(judge(points, 20_400)).toEqual([
      expect.objectContaining({ effect: 'recovered', worst_ms: 4_100, failed: 2, recovered_after_ms: 6_600 }),
    ]);
  });

  test('is over after ten seconds as usual; what comes later is another matter', () => {
    expect(judge(minute({ 21: slow, 32: slow }), 20_000)[0]).toMatchObject({ recovered_after_ms: 2_000 });
    expect(judge(minute({ 21: slow, 31: slow }), 20_000)[0]).toMatchObject({ recovered_after_ms: 12_000 });
  });

  test('that is not over at the end or at the next mark lasts', () => {
    const points = minute({ 29: slow, 58: slow });
    expect(judge(points, 25_000, 30_000, 57_000).map(({ effect }) => effect)).toEqual([
      'lasting',
      'none',
      'lasting',
    ]);
  });

  test('a little slower is no fault, and failures as before are none either', () => {
    const failing = Object.fromEntries(minute().map(({ second }) => [second, { failed: { shed: 3 } }]));
    expect(judge(minute({ 21: { p95_ms: 590 } }), 20_000)[0]).toMatchObject({ effect: 'none' });
    expect(judge(minute(failing), 20_000)[0]).toMatchObject({ effect: 'none', failed: 0 });
  });

  test('without anything before it, or after, says nothing', () => {
    expect(judge(minute(), 1_500)[0]).toMatchObject({ effect: 'unknown', before_p95_ms: null });
    expect(judge(minute(), 58_500)[0]).toMatchObject({ effect: 'unknown', recovered_after_ms: null });
    expect(judge([], 5_000)[0]).toMatchObject({ effect: 'unknown' });
  });
});
