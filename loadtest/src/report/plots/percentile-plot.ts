import type { Quantile } from '../../figures-schema.ts';
import { duration, tickOf } from '../figures.ts';
import { type Markup, markup } from '../markup.ts';
import { frameOf, hotspot, nothing, onceAPixel, polyline, px, svg, xAxis, yAxis } from '../plot.ts';
import type { RunData } from '../run-data.ts';
import { linearScale, linearTicks } from '../scale.ts';
import { curvesOf, limitsOf } from './distribution.ts';

/**
 * The percentile plot of HdrHistogram: each nine takes as much room as the one before. The marks are the percentiles
 * people quote, with their 95 % intervals; a hollow one has too few samples behind it for an upper end.
 */
export function percentilePlot(run: RunData, width: number): Markup {
  const curves = curvesOf(run).filter(({ values }) => values.length > 0);
  const main = curves[0]?.values ?? [];
  if (main.length === 0) return nothing(width, 120, 'No query ended well: there is no percentile to draw.');

  const frame = frameOf(width, 334, { right: 16 });
  const base = frame.height - frame.bottom;
  const marks = quoted(run);
  const most = Math.max(
    ...curves.map(({ values }) => values.at(-1) ?? 0),
    ...marks.map(({ quantile }) => quantile.high_ms ?? 0),
    ...limitsOf(run),
  );
  const ticks = linearTicks(most, 6);
  const top = ticks.at(-1) ?? most;
  const y = linearScale([0, top], [base, frame.top]);
  // Up to the last sample, and to P99 at least: that is where the eye looks.
  const nines = Math.max(2, Math.log10(Math.max(...curves.map(({ values }) => values.length))));
  const place = linearScale([0, nines], [frame.left, width - frame.right]);
  const x = (share: number) => place(Math.min(nines, -Math.log10(Math.max(1e-12, 1 - share))));

  const nameOf = (share: number) => (share === 0 ? '0' : `P${+(100 * share).toFixed(5)}`);
  const labelled = free(
    // From the right: where two would overlap, the higher one is worth more, and 0 the least.
    [0.99999, 0.9999, 0.999, 0.99, 0.9, 0.5, 0].filter((share) => -Math.log10(1 - share) <= nines),
    (share) => ({ at: x(share), wide: letter * nameOf(share).length, end: width - frame.right }),
  );
  return svg(frame, 'Latency by percentile', [
    ...yAxis(
      frame,
      ticks.map((tick) => ({ at: y(tick), label: tickOf(tick) })),
    ),
    ...xAxis(
      frame,
      labelled.map((share) => ({ at: x(share), label: nameOf(share) })),
      {
        grid: true,
      },
    ),
    ...limitsOf(run).map(
      (ms) => markup`<path class="limit" d="M${frame.left} ${px(y(ms))}H${width - frame.right}"/>`,
    ),
    ...curves.toReversed().map(({ name, values }) =>
      polyline(
        onceAPixel(values, (_, rank) => x(rank / values.length), y),
        name,
      ),
    ),
    ...marks.flatMap(({ share, label, quantile }) => {
      const { value_ms, low_ms, high_ms, resolved } = quantile;
      if (value_ms === null || -Math.log10(1 - share) > nines) return [];
      const [cx, cy] = [px(x(share)), px(y(value_ms))];
      const interval = resolved
        ? `95 % interval ${duration(low_ms)} to ${duration(high_ms)}`
        : 'not resolved: too few samples for an upper bound';
      const up = resolved ? y(high_ms ?? value_ms) : frame.top;
      return [
        markup`<path class="whisker${resolved ? '' : ' open'}" d="M${cx} ${px(y(low_ms ?? value_ms))}V${px(up)}"/>`,
        markup`<circle class="mark${resolved ? '' : ' open'}" cx="${cx}" cy="${cy}" r="4.5"/>`,
        hotspot(
          { x: x(share) - 11, y: 0, width: 22, height: base },
          `${label} ${duration(value_ms)}; ${interval}`,
        ),
      ];
    }),
  ]);
}

const letter = 6.6;

/** Those whose labels do not touch one that came before; those at the ends of the axis lean inwards. */
function free(
  shares: readonly number[],
  placeOf: (share: number) => { at: number; wide: number; end: number },
): number[] {
  const kept: number[] = [];
  let rightmost = Number.POSITIVE_INFINITY;
  for (const share of shares) {
    const { at, wide, end } = placeOf(share);
    const from = at > end - 16 ? at - wide : at - wide / 2;
    const to = at > end - 16 ? at : share === 0 ? at + wide : at + wide / 2;
    if (to + 6 > rightmost) continue;
    kept.push(share);
    rightmost = from;
  }
  return kept;
}

function quoted({ summary }: RunData): { share: number; label: string; quantile: Quantile }[] {
  const { p50, p95, p99, p999 } = summary.latency[summary.latency.headline];
  return [
    { share: 0.5, label: 'P50', quantile: p50 },
    { share: 0.95, label: 'P95', quantile: p95 },
    { share: 0.99, label: 'P99', quantile: p99 },
    { share: 0.999, label: 'P99.9', quantile: p999 },
  ];
}
