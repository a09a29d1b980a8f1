import type { TargetFigures } from '../../figures-schema.ts';
import { greatest } from '../../measure/extremes.ts';
import { decimal } from '../figures.ts';
import type { Markup } from '../markup.ts';
import { frameOf, hotspot, nothing, polyline, secondTicks, svg, xAxis, yAxis } from '../plot.ts';
import type { RunData } from '../run-data.ts';
import { linearScale, linearTicks } from '../scale.ts';
import { markLines } from './mark-lines.ts';
import { warmupShade } from './warmup-shade.ts';

type Series = TargetFigures['series'][number];

/** So many lines can be told apart; the others are in the table. */
const most = 6;

/** The series of a metric that ever were above zero, the highest first. */
export function shownSeries({ summary }: RunData, name: string): Series[] {
  return (summary.target?.series ?? [])
    .filter((series) => series.name === name && series.max > 0)
    .sort((a, b) => b.max - a.max)
    .slice(0, most);
}

/** A metric of the target over the run, on the same time axis as the heat band. */
export function targetLines(
  run: RunData,
  options: { name: string; title: string; empty: string; width: number; height: number },
): Markup {
  const { name, title, empty, width, height } = options;
  const series = shownSeries(run, name);
  if (series.length === 0) return nothing(width, 120, empty);
  const { endS, summary } = run;
  const frame = frameOf(width, height);
  const base = height - frame.bottom;
  const x = linearScale([0, endS], [frame.left, width - frame.right]);
  const ticks = linearTicks(greatest(series.map(({ max }) => max)), 5);
  const y = linearScale([0, ticks.at(-1) ?? 1], [base, frame.top]);
  // The last look is taken when the last answer is there, which may be after the axis' end.
  const within = series.map(({ points }) => points.filter(([ms]) => ms / 1000 <= endS));
  const moments = within.reduce((longest, points) => (points.length > longest.length ? points : longest), []);
  return svg(frame, title, [
    ...yAxis(
      frame,
      ticks.map((tick) => ({
        at: y(tick),
        label: decimal(tick),
      })),
    ),
    ...warmupShade(run, frame, x, endS),
    ...xAxis(frame, secondTicks(endS, x, width < 600 ? 5 : 12)),
    ...within.map((points, index) =>
      polyline(
        points.map(([ms, value]) => [x(ms / 1000), y(value)] as const),
        `series-${index + 1}`,
      ),
    ),
    ...markLines(summary.marks, frame, x, endS),
    ...moments.map(([ms], index) => {
      const from = x(ms / 1000);
      const to = x((moments[index + 1]?.[0] ?? ms + 1000) / 1000);
      const said = series.map(
        ({ label, points }) => `${label ?? name} ${decimal(points.find(([at]) => at === ms)?.[1] ?? null)}`,
      );
      return hotspot(
        { x: from, y: 0, width: Math.max(1, Math.min(to, width) - from), height: base },
        `${(ms / 1000).toFixed(1)} s: ${said.join(', ')}`,
      );
    }),
  ]);
}
