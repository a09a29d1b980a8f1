import { Markup, markup } from './markup.ts';
import type { Scale } from './scale.ts';

/**
 * Each plot is drawn for a wide page, for a telephone and, where it takes the whole width, for what is between; the
 * style sheet shows the one that fits. Scaling
 * one drawing down would take its letters below what can be read, and drawing in the browser would leave a page
 * without script blank.
 */
export const widths = { full: 1060, medium: 720, half: 510, narrow: 340 } as const;

export interface Frame {
  width: number;
  height: number;
  left: number;
  right: number;
  top: number;
  bottom: number;
}

export function frameOf(width: number, height: number, margins: Partial<Frame> = {}): Frame {
  return { width, height, left: 52, right: 10, top: 10, bottom: 26, ...margins };
}

/** A number as SVG takes it, to a tenth of a pixel. */
export function px(value: number): string {
  return String(Math.round(value * 10) / 10);
}

export function svg(frame: Pick<Frame, 'width' | 'height'>, label: string, body: readonly Markup[]): Markup {
  return markup`<svg viewBox="0 0 ${frame.width} ${px(frame.height)}" role="img" aria-label="${label}">${body}</svg>`;
}

export interface Tick {
  at: number;
  label: string;
}

export function yAxis(frame: Frame, ticks: readonly Tick[]): Markup[] {
  const end = frame.width - frame.right;
  return ticks.map(
    ({ at, label }) =>
      markup`<path class="grid" d="M${frame.left} ${px(at)}H${end}"/><text class="tick end" x="${frame.left - 6}" y="${px(at + 4)}">${label}</text>`,
  );
}

export function xAxis(frame: Frame, ticks: readonly Tick[], options: { grid?: boolean } = {}): Markup[] {
  const base = frame.height - frame.bottom;
  return [
    markup`<path class="axis" d="M${frame.left} ${px(base)}H${frame.width - frame.right}"/>`,
    ...ticks.map(({ at, label }) => {
      // The outermost labels lean inwards, or half of them would be cut off.
      const anchor = at > frame.width - frame.right - 16 ? 'end' : at < frame.left + 8 ? 'start' : 'middle';
      const from = options.grid === true ? frame.top : base;
      return markup`<path class="grid" d="M${px(at)} ${px(from)}V${px(base + 4)}"/><text class="tick ${anchor}" x="${px(at)}" y="${px(base + 18)}">${label}</text>`;
    }),
  ];
}

/** A line through the points; null breaks it, and a point alone is a dot. */
export function polyline(points: readonly (readonly [number, number] | null)[], name: string): Markup {
  let path = '';
  const dots: Markup[] = [];
  points.forEach((point, index) => {
    if (point === null) return;
    const [x, y] = point;
    const follows = index > 0 && points[index - 1] !== null;
    if (!follows && (points[index + 1] ?? null) === null) {
      dots.push(markup`<circle class="dot ${name}" cx="${px(x)}" cy="${px(y)}" r="3"/>`);
    }
    path += `${follows ? 'L' : 'M'}${px(x)} ${px(y)}`;
  });
  return markup`<path class="line ${name}" d="${path}"/>${dots}`;
}

/**
 * Sorted values as a line with about one point a pixel: thousands of samples make no finer one. Before a leap
 * the point left of it is kept, or a step would become a slope.
 */
export function onceAPixel(
  values: readonly number[],
  x: (value: number, rank: number) => number,
  y: (value: number, rank: number) => number,
): (readonly [number, number])[] {
  const points: (readonly [number, number])[] = [];
  let skipped: readonly [number, number] | undefined;
  values.forEach((value, rank) => {
    const point = [x(value, rank), y(value, rank)] as const;
    const last = points.at(-1);
    if (last !== undefined && point[0] - last[0] < 0.7 && rank < values.length - 1) {
      skipped = point;
      return;
    }
    if (skipped !== undefined && point[0] - skipped[0] > 1.5) points.push(skipped);
    skipped = undefined;
    points.push(point);
  });
  return points;
}

export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** Many boxes as one path: a heat band of rectangles would be ten times as long. */
export function boxes(list: readonly Box[], name: string): Markup {
  if (list.length === 0) return new Markup('');
  const path = list
    .map(({ x, y, width, height }) => `M${px(x)} ${px(y)}h${px(width)}v${px(height)}h${px(-width)}z`)
    .join('');
  return markup`<path class="${name}" d="${path}"/>`;
}

/** An invisible area that says something when it is pointed at. */
export function hotspot({ x, y, width, height }: Box, tip: string): Markup {
  return markup`<rect class="hot" x="${px(x)}" y="${px(y)}" width="${px(width)}" height="${px(height)}" data-tip="${tip}"><title>${tip}</title></rect>`;
}

/** Instead of a plot that has nothing to draw: a page must not look as if it were broken. */
export function nothing(width: number, height: number, why: string): Markup {
  return svg({ width, height }, why, [
    markup`<rect class="void" x="1" y="1" width="${width - 2}" height="${height - 2}" rx="6"/><text class="why middle" x="${width / 2}" y="${px(height / 2 + 4)}">${why}</text>`,
  ]);
}

/** Evenly many ticks of whole seconds. */
export function secondTicks(endS: number, x: Scale, about: number): Tick[] {
  const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14_400];
  const step = steps.find((one) => endS / one <= about) ?? Math.ceil(endS / about);
  const ticks: Tick[] = [];
  for (let second = 0; second <= endS + 1e-9; second += step) {
    ticks.push({ at: x(second), label: step >= 60 ? `${second / 60} min` : `${second} s` });
  }
  return ticks;
}
