import type { StageTable } from '../../figures-schema.ts';
import { duration, percent } from '../figures.ts';
import { type Markup, markup } from '../markup.ts';
import { hotspot, nothing, px, svg } from '../plot.ts';
import { stageClass, stageLabel } from '../stage-names.ts';

const barHeight = 34;

/** Two answers as bars on one scale: the one at the median, and the mean of the slowest. What the tail is made of. */
export function stageStack(table: StageTable | null, width: number): Markup {
  if (table === null || table.rows.length === 0) {
    return nothing(width, 120, 'The target gave no account of its time (timings_ms).');
  }
  const { rows } = table;
  const bars = [
    { title: 'at the median', msOf: (row: (typeof rows)[number]) => row.at_median_ms },
    { title: 'in the slowest 1 %', msOf: (row: (typeof rows)[number]) => row.in_tail_ms },
  ];
  const most = Math.max(1e-9, ...bars.map(({ msOf }) => rows.reduce((sum, row) => sum + msOf(row), 0)));
  const scale = (width - 2) / most;
  const height = bars.length * (barHeight + 40);
  return svg({ width, height }, 'Time by stage at the median and in the tail', [
    ...bars.flatMap(({ title, msOf }, index) => {
      const top = index * (barHeight + 40) + 24;
      const whole = rows.reduce((sum, row) => sum + msOf(row), 0);
      let at = 1;
      return [
        markup`<text class="bar-title" x="1" y="${top - 8}">${title}: ${duration(whole)}</text>`,
        ...rows.flatMap((row) => {
          const ms = msOf(row);
          const wide = ms * scale;
          const start = at;
          at += wide;
          if (wide <= 0) return [];
          const share = whole === 0 ? 0 : ms / whole;
          return [
            markup`<rect class="segment ${stageClass(row.stage)}" x="${px(start)}" y="${top}" width="${px(wide)}" height="${barHeight}"/>`,
            ...(stageClass(row.stage).includes('waits')
              ? [
                  markup`<rect class="hatch" x="${px(start)}" y="${top}" width="${px(wide)}" height="${barHeight}"/>`,
                ]
              : []),
            ...labelWithin(row.stage, share, start, wide, top),
            hotspot(
              { x: start, y: top, width: wide, height: barHeight },
              `${stageLabel(row.stage)} ${title}: ${duration(ms)}, ${percent(share)}`,
            ),
          ];
        }),
      ];
    }),
  ]);
}

/** Only where it has room: letters take about seven pixels each. */
function labelWithin(stage: string, share: number, start: number, wide: number, top: number): Markup[] {
  const text = [`${stageLabel(stage)} ${percent(share)}`, percent(share)].find(
    (one) => one.length * 7.2 + 10 < wide,
  );
  if (text === undefined) return [];
  const name = stageClass(stage);
  const ground = name.includes('waits') ? ' on-waits' : name === 'st-rest' ? ' on-rest' : '';
  return [
    markup`<text class="in-bar middle${ground}" x="${px(start + wide / 2)}" y="${top + barHeight / 2 + 4}">${text}</text>`,
  ];
}
