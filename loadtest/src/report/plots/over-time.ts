import type { TimelinePoint } from '../../figures-schema.ts';
import { greatest } from '../../measure/extremes.ts';
import { failureClasses, type Outcome } from '../../sample-schema.ts';
import { count, duration, rate } from '../figures.ts';
import type { Markup } from '../markup.ts';
import {
  type Box,
  boxes,
  type Frame,
  frameOf,
  hotspot,
  nothing,
  polyline,
  secondTicks,
  svg,
  xAxis,
  yAxis,
} from '../plot.ts';
import type { RunData } from '../run-data.ts';
import { linearScale, linearTicks, type Scale, wholeTicks } from '../scale.ts';
import { stageClass, stageLabel } from '../stage-names.ts';
import { markLines } from './mark-lines.ts';
import { warmupShade } from './warmup-shade.ts';

const empty = 'The run has no timeline: nothing was sent.';

interface Ground {
  frame: Frame;
  base: number;
  x: Scale;
  points: TimelinePoint[];
  slot: number;
  axes: Markup[];
  /** To be drawn over what the plot shows. */
  marks: Markup[];
}

function groundOf(run: RunData, width: number, height: number): Ground {
  const frame = frameOf(width, height);
  const base = height - frame.bottom;
  const points = run.summary.timeline;
  const endS = Math.max(1, points.length);
  const x = linearScale([0, endS], [frame.left, width - frame.right]);
  return {
    frame,
    base,
    x,
    points,
    slot: x(1) - x(0),
    axes: [...warmupShade(run, frame, x, endS), ...xAxis(frame, secondTicks(endS, x, width < 500 ? 5 : 10))],
    marks: markLines(run.summary.marks, frame, x, endS),
  };
}

/** The last second is hardly ever a whole one. It is drawn, as the failures in it are; its fall is said to be none. */
function secondOf({ second }: TimelinePoint, points: readonly TimelinePoint[]): string {
  const isLast = second > 0 && second === points.at(-1)?.second;
  return `second ${second}${isLast ? ' (the last, not a whole one)' : ''}`;
}

/** What was asked for, what was sent and what came back, each second. */
export function offeredAndAchieved(run: RunData, width: number): Markup {
  if (run.summary.timeline.length === 0) return nothing(width, 120, empty);
  const { frame, base, x, points, slot, axes, marks } = groundOf(run, width, 230);
  const isOpen = run.summary.config.mode !== 'closed';
  const ticks = wholeTicks(
    greatest(
      points.flatMap(({ offered, sent, ok }) => [offered, sent, ok]),
      1,
    ),
    5,
  );
  const y = linearScale([0, ticks.at(-1) ?? 1], [base, frame.top]);
  const line = (read: (point: TimelinePoint) => number, name: string) =>
    polyline(
      points.map((point) => [x(point.second + 0.5), y(read(point))] as const),
      name,
    );
  return svg(frame, 'Offered and achieved per second', [
    ...yAxis(
      frame,
      ticks.map((tick) => ({ at: y(tick), label: count(tick) })),
    ),
    ...axes,
    ...(isOpen ? [line(({ offered }) => offered, 'offered')] : []),
    line(({ sent }) => sent, 'sent'),
    line(({ ok }) => ok, 'ok'),
    ...marks,
    ...points.map((point) =>
      hotspot(
        { x: x(point.second), y: 0, width: slot, height: base },
        `${secondOf(point, points)}: ${isOpen ? `${point.offered} due, ` : ''}${point.sent} sent, ${point.ok} ended well`,
      ),
    ),
  ]);
}

export function inFlight(run: RunData, width: number): Markup {
  if (run.summary.timeline.length === 0) return nothing(width, 120, empty);
  const { frame, base, x, points, slot, axes, marks } = groundOf(run, width, 230);
  const ticks = wholeTicks(
    greatest(
      points.map(({ in_flight }) => in_flight),
      1,
    ),
    5,
  );
  const y = linearScale([0, ticks.at(-1) ?? 1], [base, frame.top]);
  const line = points.map((point) => [x(point.second + 0.5), y(point.in_flight)] as const);
  return svg(frame, 'In flight at the end of each second', [
    ...yAxis(
      frame,
      ticks.map((tick) => ({ at: y(tick), label: count(tick) })),
    ),
    ...axes,
    polyline(line, 'flight'),
    ...marks,
    ...points.map((point) =>
      hotspot(
        { x: x(point.second), y: 0, width: slot, height: base },
        `${secondOf(point, points)}: ${point.in_flight} in flight`,
      ),
    ),
  ]);
}

/** Failures by class, each second. A run without any says so where the plot would be. */
export function errorsOverTime(run: RunData, width: number): Markup {
  const { timeline } = run.summary;
  if (timeline.length === 0) return nothing(width, 120, empty);
  const sums = timeline.map(({ failed }) =>
    Object.values(failed).reduce((sum, size) => sum + (size ?? 0), 0),
  );
  if (sums.every((sum) => sum === 0)) return nothing(width, 120, 'Nothing failed in any second of the run.');

  const { frame, base, x, slot, axes, marks } = groundOf(run, width, 230);
  const ticks = wholeTicks(greatest(sums), 5);
  const y = linearScale([0, ticks.at(-1) ?? 1], [base, frame.top]);
  const byClass = new Map<Outcome, Box[]>(failureClasses.map((name) => [name, []]));
  for (const { second, failed } of timeline) {
    let below = 0;
    for (const name of failureClasses) {
      const size = failed[name] ?? 0;
      if (size === 0) continue;
      const air = Math.min(1, slot / 8);
      byClass.get(name)?.push({
        x: x(second) + air,
        y: y(below + size),
        width: slot - 2 * air,
        height: y(below) - y(below + size),
      });
      below += size;
    }
  }
  return svg(frame, 'Failures per second, by class', [
    ...yAxis(
      frame,
      ticks.map((tick) => ({ at: y(tick), label: count(tick) })),
    ),
    ...axes,
    ...[...byClass].map(([name, list]) => boxes(list, `f-${name}`)),
    ...marks,
    ...timeline.map(({ second, failed }) =>
      hotspot(
        { x: x(second), y: 0, width: slot, height: base },
        `second ${second}: ${
          Object.entries(failed)
            .map(([name, size]) => `${size} ${name.replaceAll('_', ' ')}`)
            .join(', ') || 'none failed'
        }`,
      ),
    ),
  ]);
}

/** Where the time of the answers of each second went, by the target's own account. */
export function stagesOverTime(run: RunData, width: number): Markup {
  const stages = run.summary.stages?.rows.map(({ stage }) => stage) ?? [];
  const known = run.summary.timeline.filter(({ stages_ms }) => Object.keys(stages_ms).length > 0);
  if (stages.length === 0 || known.length === 0) {
    return nothing(width, 120, 'The target gave no account of its time (timings_ms).');
  }
  const { frame, base, x, points, slot, axes, marks } = groundOf(run, width, 230);
  const sumOf = ({ stages_ms }: TimelinePoint) =>
    stages.reduce((sum, stage) => sum + (stages_ms[stage] ?? 0), 0);
  const ticks = linearTicks(greatest(points.map(sumOf), 1), 5);
  const y = linearScale([0, ticks.at(-1) ?? 1], [base, frame.top]);
  const layers = new Map<string, Box[]>(stages.map((stage) => [stage, []]));
  for (const { second, stages_ms } of points) {
    let below = 0;
    for (const stage of stages) {
      const ms = stages_ms[stage] ?? 0;
      layers
        .get(stage)
        ?.push({ x: x(second), y: y(below + ms), width: slot, height: y(below) - y(below + ms) });
      below += ms;
    }
  }
  return svg(frame, 'Mean time of each stage, by second', [
    ...yAxis(
      frame,
      ticks.map((tick) => ({ at: y(tick), label: duration(tick).replace('.0 ms', ' ms') })),
    ),
    ...axes,
    ...[...layers].map(([stage, list]) => boxes(list, stageClass(stage))),
    ...marks,
    ...points.map((point) =>
      hotspot(
        { x: x(point.second), y: 0, width: slot, height: base },
        describeStages(point, stages, sumOf(point)),
      ),
    ),
  ]);
}

function describeStages(
  { second, ok, stages_ms }: TimelinePoint,
  stages: readonly string[],
  sum: number,
): string {
  const largest = stages
    .map((stage) => ({ stage, ms: stages_ms[stage] ?? 0 }))
    .sort((a, b) => b.ms - a.ms)
    .slice(0, 3)
    .map(({ stage, ms }) => `${stageLabel(stage)} ${duration(ms)}`);
  return `second ${second}: ${ok} answers (${rate(ok)}/s), mean ${duration(sum)}; most of it ${largest.join(', ')}`;
}
