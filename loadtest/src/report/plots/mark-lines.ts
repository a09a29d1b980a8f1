import type { MarkRow } from '../../figures-schema.ts';
import { type Markup, markup } from '../markup.ts';
import { type Frame, px } from '../plot.ts';
import type { Scale } from '../scale.ts';

/** A line from top to bottom where something was done to the target, with its number in the table of marks. */
export function markLines(marks: readonly MarkRow[], frame: Frame, x: Scale, endS: number): Markup[] {
  return marks.flatMap(({ at_ms, text }, index) => {
    const second = at_ms / 1000;
    if (second < 0 || second > endS) return [];
    const at = px(x(second));
    return [
      markup`<path class="fault" d="M${at} ${frame.top}V${px(frame.height - frame.bottom)}"><title>${index + 1}: ${text}</title></path>`,
      markup`<text class="fault-number middle" x="${at}" y="${px(frame.height - frame.bottom - 4)}">${index + 1}</text>`,
    ];
  });
}
