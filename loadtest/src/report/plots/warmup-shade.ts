import { type Markup, markup } from '../markup.ts';
import { type Frame, px } from '../plot.ts';
import type { RunData } from '../run-data.ts';
import type { Scale } from '../scale.ts';

/** What is in no figure lies in a shade: the warm-up, and in a search the settling time of each probe. */
export function warmupShade({ warmups }: RunData, frame: Frame, x: Scale, endS: number): Markup[] {
  const height = px(frame.height - frame.bottom - frame.top);
  return warmups
    .filter(({ fromS }) => fromS < endS)
    .map(({ fromS, toS }) => {
      const from = x(fromS);
      return markup`<rect class="warmup" x="${px(from)}" y="${frame.top}" width="${px(x(Math.min(toS, endS)) - from)}" height="${height}"/>`;
    });
}
