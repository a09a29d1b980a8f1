import { count, duration, percent, tickOf } from '../figures.ts';
import { type Markup, markup } from '../markup.ts';
import { frameOf, hotspot, nothing, onceAPixel, polyline, px, svg, xAxis, yAxis } from '../plot.ts';
import { measured, type RunData } from '../run-data.ts';
import { linearScale, logDomain, logScale, logTicks } from '../scale.ts';

/** The curves of a run: what it is judged by, the other clock where that differs, and misses alone beside hits. */
export function curvesOf({ queries, summary }: RunData): { name: string; label: string; values: number[] }[] {
  const isOpen = summary.latency.headline === 'response';
  const hits = measured(queries, 'latencyMs', ({ isHit }) => isHit).length;
  const main = {
    name: 'main',
    label: isOpen ? 'response time (from due)' : 'service time (from sent)',
    values: measured(queries, 'latencyMs'),
  };
  return [
    main,
    ...(isOpen
      ? [{ name: 'other', label: 'service time (from sent)', values: measured(queries, 'serviceMs') }]
      : []),
    ...(hits > 0
      ? [
          {
            name: 'misses',
            label: 'without cache hits',
            values: measured(queries, 'latencyMs', ({ isHit }) => !isHit),
          },
        ]
      : []),
  ];
}

/**
 * The distribution, twice on one axis of latencies: above the share that took at most so long, below the share that
 * took longer on a logarithmic scale, where the tail has room.
 */
export function distribution(run: RunData, width: number): Markup {
  const curves = curvesOf(run).filter(({ values }) => values.length > 0);
  const main = curves[0]?.values ?? [];
  if (main.length === 0) return nothing(width, 120, 'No query ended well: there is no latency to draw.');

  const domain = logDomain(curves.flatMap(({ values }) => [values[0] ?? 1, values.at(-1) ?? 1]));
  const least = 1 / (Math.max(...curves.map(({ values }) => values.length)) * 1.3);
  const tails = [1, 0.1, 0.01, 0.001, 1e-4, 1e-5, 1e-6].filter((part) => part >= least);
  const nameOf = (part: number) => (part === 1 ? 'all' : `1 in ${count(1 / part)}`);
  // Room for the longest: "1 in 10,000" was cut off at its left.
  const left = Math.max(62, 12 + 6.6 * nameOf(tails.at(-1) ?? 1).length);
  const upper = frameOf(width, 170, { left, bottom: 8 });
  const gap = 14;
  const lower = frameOf(width, upper.height + gap + 150, { left, top: upper.height + gap });
  const x = logScale(domain, [upper.left, width - upper.right]);
  const share = linearScale([0, 1], [upper.height - upper.bottom, upper.top]);
  const slower = logScale([least, 1], [lower.height - lower.bottom, lower.top]);
  const limits = limitsOf(run).filter((ms) => ms >= domain[0] && ms <= domain[1]);
  return svg(lower, `Distribution of ${count(main.length)} latencies`, [
    ...yAxis(
      upper,
      [0, 0.25, 0.5, 0.75, 1].map((part) => ({ at: share(part), label: `${100 * part} %` })),
    ),
    ...yAxis(
      lower,
      tails.map((part) => ({ at: slower(part), label: nameOf(part) })),
    ),
    ...xAxis(
      { ...lower, top: upper.top },
      logTicks(domain, width < 400 ? 5 : 8).map((tick) => ({ at: x(tick), label: tickOf(tick) })),
      { grid: true },
    ),
    ...limits.map(
      (ms) => markup`<path class="limit" d="M${px(x(ms))} ${upper.top}V${px(lower.height - lower.bottom)}"/>`,
    ),
    ...curves.toReversed().flatMap(({ name, values }) => {
      const within = (rank: number) => (rank + 1) / values.length;
      // The tail ends at the slowest, where one in n is left.
      const beyond = (rank: number) => 1 - Math.min(within(rank), 1 - 1 / values.length);
      return [
        polyline(
          onceAPixel(values, x, (_, rank) => share(within(rank))),
          name,
        ),
        polyline(
          onceAPixel(values, x, (_, rank) => slower(beyond(rank))),
          name,
        ),
      ];
    }),
    markup`<text class="note" x="${upper.left + 4}" y="${upper.top + 12}">took at most …</text><text class="note" x="${lower.left + 4}" y="${px(lower.height - lower.bottom - 8)}">took longer than …</text>`,
    ...tips(main, upper.left, width - upper.right, lower.height - lower.bottom, domain),
  ]);
}

function tips(
  values: readonly number[],
  left: number,
  right: number,
  height: number,
  domain: readonly [number, number],
): Markup[] {
  const slots = 40;
  const step = (right - left) / slots;
  const ratio = domain[1] / domain[0];
  return Array.from({ length: slots }, (_, slot) => {
    const ms = domain[0] * ratio ** ((slot + 0.5) / slots);
    const within = values.findLastIndex((value) => value <= ms) + 1;
    const tip = `${percent(within / values.length)} took at most ${duration(ms)}, ${count(values.length - within)} of ${count(values.length)} longer`;
    return hotspot({ x: left + slot * step, y: 0, width: step, height }, tip);
  });
}

/** What the run was to keep its latency below, where a plot reaches that far. */
export function limitsOf({ summary }: RunData): number[] {
  const reach = 1.15 * (summary.latency[summary.latency.headline].max_ms ?? 0);
  return summary.slo.checks
    .filter(({ unit, name, limit }) => unit === 'ms' && /^p\d/.test(name) && limit <= reach)
    .map(({ limit }) => limit);
}
