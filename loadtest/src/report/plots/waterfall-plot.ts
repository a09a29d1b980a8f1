import { duration, percent, tickOf } from '../figures.ts';
import { type Markup, markup } from '../markup.ts';
import { frameOf, hotspot, nothing, px, svg, xAxis } from '../plot.ts';
import type { Waterfall } from '../run-data.ts';
import { linearScale, linearTicks } from '../scale.ts';
import { stageClass, stageLabel } from '../stage-names.ts';

const barHeight = 14;

/** The slowest answers, one below the other on one scale of time: what each waited for, in the order it happened. */
export function waterfallPlot(rows: readonly Waterfall[], width: number): Markup {
  if (rows.length === 0) return nothing(width, 120, 'No query ended well: none was slow.');
  const isNarrow = width < 500;
  const rowHeight = isNarrow ? 46 : 24;
  const frame = frameOf(width, rows.length * rowHeight + 36, {
    left: isNarrow ? 4 : width < 900 ? 305 : 330,
    right: isNarrow ? 8 : 74,
    top: 6,
  });
  const most = Math.max(...rows.map(({ totalMs }) => totalMs));
  const ticks = linearTicks(most, isNarrow ? 3 : 6).filter((tick) => tick <= most * 1.0001);
  const x = linearScale([0, most], [frame.left, width - frame.right]);
  return svg(frame, `The slowest ${rows.length} answers`, [
    ...xAxis(
      frame,
      ticks.map((tick) => ({ at: x(tick), label: tickOf(tick) })),
      { grid: true },
    ),
    ...rows.flatMap((row, index) => {
      const top = frame.top + index * rowHeight;
      const barTop = isNarrow ? top + 20 : top + 3;
      return [
        markup`<text class="row-name" x="${isNarrow ? 4 : 0}" y="${isNarrow ? top + 14 : barTop + 11}">${nameOf(row, isNarrow)}</text>`,
        ...segments(row, x, barTop),
        markup`<text class="row-total${isNarrow ? ' end' : ''}" x="${isNarrow ? width - 8 : px(x(row.totalMs) + 8)}" y="${isNarrow ? top + 14 : barTop + 11}">${duration(row.totalMs)}</text>`,
      ];
    }),
  ]);
}

/** `#412  16.4 s  llm_generator_2  …0e4736`: when it was due, who answered, how to find its trace. */
function nameOf({ sample }: Waterfall, isNarrow: boolean): string {
  const { n, planned_ms, replica, trace_id, attempt, cache } = sample;
  const again = attempt !== null && attempt > 1 ? `  try ${attempt}` : '';
  const hit = cache === 'hit' || cache === 'shared' ? `  cache ${cache}` : '';
  const who = clipped(replica ?? '–', isNarrow ? 18 : 17);
  return `#${n}  ${(planned_ms / 1000).toFixed(1)} s  ${who}  …${trace_id.slice(isNarrow ? -5 : -8)}${again}${hit}`;
}

function clipped(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}

function segments(
  { parts, lagMs, totalMs, sample }: Waterfall,
  x: (ms: number) => number,
  top: number,
): Markup[] {
  const list = [
    ...(lagMs > 0.05 ? [{ label: 'due, not yet sent', name: 'st-lag waits', ms: lagMs }] : []),
    ...(parts?.map(({ stage, ms }) => ({ label: stageLabel(stage), name: stageClass(stage), ms })) ?? [
      { label: 'no account of its time', name: 'st-rest', ms: Math.max(0, totalMs - lagMs) },
    ]),
  ];
  let at = 0;
  return list.flatMap(({ label, name, ms }) => {
    const [start, end] = [x(at), x(Math.min(totalMs, at + ms))];
    at += ms;
    const box = { x: start, y: top, width: end - start, height: barHeight };
    if (box.width < 0.05) return [];
    return [
      markup`<rect class="segment ${name}" x="${px(box.x)}" y="${top}" width="${px(box.width)}" height="${barHeight}"/>`,
      ...(name.includes('waits')
        ? [
            markup`<rect class="hatch" x="${px(box.x)}" y="${top}" width="${px(box.width)}" height="${barHeight}"/>`,
          ]
        : []),
      hotspot(
        box,
        `#${sample.n} ${label}: ${duration(ms)}, ${percent(ms / totalMs)}; trace ${sample.trace_id}`,
      ),
    ];
  });
}
