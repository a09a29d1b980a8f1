import type { MarkRow, TimelinePoint } from '../figures-schema.ts';
import type { Mark } from '../plan/marks.ts';
import { greatest } from './extremes.ts';

/** Seconds before a mark that say what is usual, and how many of them there must be. */
const before = { seconds: 10, least: 3 } as const;
/** So many seconds in a row as usual, and it is over: what comes later has another cause. */
const calmSeconds = 10;
/** Before the end of a run, or the next mark, so many must do. */
const leastCalmSeconds = 3;
/** A second is off when its P95 is above so many times the usual one (a few milliseconds more are no fault) … */
const off = { times: 2, atLeastMs: 50, moreFailures: 0.01 } as const;

/**
 * What each mark did, second by second as answers ended: an answer that a killed worker held ends late, and so does the
 * recovery. A second is off when more than a hundredth more failed than before, when its P95 is twice what it was, or
 * when nothing ended at all although before something did in each.
 */
export function judgeMarks(marks: readonly Mark[], timeline: readonly TimelinePoint[]): MarkRow[] {
  // The last second is a broken one.
  const points = timeline.slice(0, -1);
  return marks.map(({ atMs, text }, index) => {
    const nextMs = marks[index + 1]?.atMs ?? Number.POSITIVE_INFINITY;
    const usual = usualBefore(points, atMs);
    const window = points.filter(
      ({ second }) => second >= Math.floor(atMs / 1000) && second < Math.floor(nextMs / 1000),
    );
    const row = { at_ms: atMs, text, before_p95_ms: usual?.p95Ms ?? null };
    if (usual === null || window.length < leastCalmSeconds) {
      return { ...row, effect: 'unknown', worst_ms: null, failed: 0, recovered_after_ms: null };
    }
    let lastOff = -1;
    let calm = 0;
    for (const [place, point] of window.entries()) {
      if (isOff(point, usual)) {
        lastOff = place;
        calm = 0;
      } else calm += 1;
      if (calm >= calmSeconds) break;
    }
    if (lastOff === -1) return { ...row, effect: 'none', worst_ms: null, failed: 0, recovered_after_ms: 0 };
    const affected = window.slice(0, lastOff + 1);
    const worst = affected.flatMap(({ max_ms }) => max_ms ?? []);
    const isOver = calm >= leastCalmSeconds;
    return {
      ...row,
      effect: isOver ? 'recovered' : 'lasting',
      worst_ms: worst.length === 0 ? null : greatest(worst),
      failed: affected.reduce((sum, point) => sum + failedOf(point), 0),
      recovered_after_ms: isOver ? ((affected.at(-1)?.second ?? 0) + 1) * 1000 - atMs : null,
    };
  });
}

interface Usual {
  p95Ms: number;
  failedShare: number;
  isSteady: boolean;
}

function usualBefore(points: readonly TimelinePoint[], atMs: number): Usual | null {
  const earlier = points.filter(({ second }) => (second + 1) * 1000 <= atMs).slice(-before.seconds);
  const p95s = earlier.flatMap(({ p95_ms }) => p95_ms ?? []).sort((a, b) => a - b);
  const middle = p95s[Math.floor(p95s.length / 2)];
  if (middle === undefined || p95s.length < before.least) return null;
  const failed = earlier.reduce((sum, point) => sum + failedOf(point), 0);
  const ended = earlier.reduce((sum, { ok }) => sum + ok, failed);
  return { p95Ms: middle, failedShare: failed / ended, isSteady: p95s.length === earlier.length };
}

function isOff(point: TimelinePoint, { p95Ms, failedShare, isSteady }: Usual): boolean {
  const failed = failedOf(point);
  const ended = point.ok + failed;
  if (ended === 0) return isSteady;
  return (
    failed / ended > failedShare + off.moreFailures ||
    (point.p95_ms ?? 0) > Math.max(off.times * p95Ms, p95Ms + off.atLeastMs)
  );
}

function failedOf({ failed }: TimelinePoint): number {
  return Object.values(failed).reduce((sum, count) => sum + (count ?? 0), 0);
}
