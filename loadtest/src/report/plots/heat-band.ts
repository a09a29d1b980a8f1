import { count, duration, tickOf } from '../figures.ts';
import { type Markup, markup } from '../markup.ts';
import {
  type Box,
  boxes,
  frameOf,
  hotspot,
  nothing,
  polyline,
  px,
  secondTicks,
  svg,
  xAxis,
  yAxis,
} from '../plot.ts';
import type { Query, RunData } from '../run-data.ts';
import { linearScale, logDomain, logScale, logTicks } from '../scale.ts';
import { markLines } from './mark-lines.ts';
import { warmupShade } from './warmup-shade.ts';

const levels = 7;
const stripHeight = 22;

/**
 * Latency over time: how many queries that were due in a slice of time took how long. A slice holds a column of
 * cells, darker for more; over it the median and the 95th percentile of the slice, above it what failed. By the time
 * a query was due, not when it ended: a stall then shows all who came into it.
 */
export function heatBand(run: RunData, width: number): Markup {
  const { summary, queries, endS, warmups } = run;
  const isNarrow = width < 500;
  const frame = frameOf(width, isNarrow ? 260 : 320, { top: stripHeight + 12 });
  const ended = queries.filter(({ outcome, latencyMs }) => outcome === 'ok' && latencyMs !== null);
  if (queries.length === 0) return nothing(width, 120, 'No query was due: there is nothing to draw.');

  // About twenty queries in a slice: the 95th percentile of fewer is the slowest of a few.
  const columns = Math.max(8, Math.min(isNarrow ? 44 : 106, Math.floor(queries.length / 20)));
  const sliceS = endS / columns;
  const rows = isNarrow ? 30 : 42;
  const domain = logDomain(ended.map(({ latencyMs }) => latencyMs ?? 0));
  const base = frame.height - frame.bottom;
  const x = linearScale([0, endS], [frame.left, width - frame.right]);
  const y = logScale(domain, [base, frame.top]);
  const slices: Query[][] = Array.from({ length: columns }, () => []);
  for (const query of queries) slices[Math.min(columns - 1, Math.floor(query.dueS / sliceS))]?.push(query);

  const cells = new Map<string, { column: number; row: number; count: number }>();
  for (const [column, slice] of slices.entries()) {
    for (const { outcome, latencyMs } of slice) {
      if (outcome !== 'ok' || latencyMs === null) continue;
      const place = (base - y(latencyMs)) / (base - frame.top);
      const row = Math.min(rows - 1, Math.max(0, Math.floor(place * rows)));
      const cell = cells.get(`${column}/${row}`);
      if (cell === undefined) cells.set(`${column}/${row}`, { column, row, count: 1 });
      else cell.count += 1;
    }
  }
  const most = Math.max(1, ...[...cells.values()].map((cell) => cell.count));
  const byLevel: Box[][] = Array.from({ length: levels }, () => []);
  const cellWidth = (width - frame.right - frame.left) / columns;
  const cellHeight = (base - frame.top) / rows;
  for (const { column, row, count: size } of cells.values()) {
    // By the root: one query among hundreds is the tail, and must be seen.
    const level = Math.min(levels - 1, Math.floor(Math.sqrt((size - 1) / most) * levels));
    byLevel[level]?.push({
      x: frame.left + column * cellWidth,
      y: base - (row + 1) * cellHeight,
      width: cellWidth,
      height: cellHeight,
    });
  }

  const failures = slices.map((slice) => slice.filter(({ outcome }) => outcome !== 'ok').length);
  const mostFailed = Math.max(1, ...failures);
  const failed = failures.flatMap((size, column): Box[] => {
    const height = size === 0 ? 0 : 3 + (stripHeight - 3) * (size / mostFailed);
    return size === 0
      ? []
      : [{ x: frame.left + column * cellWidth, y: 4 + stripHeight - height, width: cellWidth, height }];
  });

  const at = (share: number) =>
    slices.map((slice, column): readonly [number, number] | null => {
      const value = shareOf(slice, share);
      return value === null ? null : [frame.left + (column + 0.5) * cellWidth, y(value)];
    });
  const [first] = warmups;
  const named =
    first !== undefined &&
    markup`<text class="note" x="${px(x(first.fromS) + 4)}" y="${frame.top + 14}">warm-up</text>`;
  return svg(frame, `Latency over time, ${count(queries.length)} queries`, [
    ...yAxis(
      frame,
      logTicks(domain, 8).map((tick) => ({ at: y(tick), label: tickOf(tick) })),
    ),
    ...warmupShade(run, frame, x, endS),
    ...(named === false ? [] : [named]),
    ...byLevel.map((list, level) => boxes(list, `heat h${level + 1}`)),
    markup`<text class="tick end bad" x="${frame.left - 6}" y="${stripHeight}">failed</text>`,
    boxes(failed, 'bad-fill'),
    polyline(at(0.95), 'p95'),
    polyline(at(0.5), 'p50'),
    ...markLines(summary.marks, frame, x, endS),
    ...xAxis(frame, secondTicks(endS, x, isNarrow ? 5 : 12)),
    ...slices.map((slice, column) =>
      hotspot(
        { x: frame.left + column * cellWidth, y: 0, width: cellWidth, height: base },
        describe(slice, column * sliceS, sliceS),
      ),
    ),
  ]);
}

function shareOf(slice: readonly Query[], share: number): number | null {
  const sorted = slice
    .flatMap(({ outcome, latencyMs }) => (outcome === 'ok' ? (latencyMs ?? []) : []))
    .sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share - 1e-9) - 1)] ?? null;
}

function describe(slice: readonly Query[], fromS: number, sliceS: number): string {
  const ok = slice.filter(({ outcome }) => outcome === 'ok').length;
  const when = `due ${fromS.toFixed(1)} to ${(fromS + sliceS).toFixed(1)} s`;
  const latency =
    ok === 0
      ? ''
      : `; P50 ${duration(shareOf(slice, 0.5))}, P95 ${duration(shareOf(slice, 0.95))}, slowest ${duration(shareOf(slice, 1))}`;
  const failed = slice.length - ok;
  return `${when}: ${ok} well${failed === 0 ? '' : `, ${failed} failed`}${latency}`;
}
