import { greatest } from '../../measure/extremes.ts';
import { duration, rate, tickOf } from '../figures.ts';
import { type Markup, markup } from '../markup.ts';
import { frameOf, hotspot, nothing, px, svg, xAxis, yAxis } from '../plot.ts';
import type { RunData } from '../run-data.ts';
import { linearScale, linearTicks, logDomain, logScale, logTicks } from '../scale.ts';

/** The rates that were tried, each with its P99: full where it held, hollow where it did not. */
export function rateSteps(run: RunData, width: number): Markup {
  const steps = run.summary.steps.filter(({ response }) => response.p99.value_ms !== null);
  if (steps.length === 0) return nothing(width, 120, 'No rate was tried to its end.');
  const frame = frameOf(width, 260, { right: 16 });
  const base = frame.height - frame.bottom;
  const limits = run.summary.slo.checks.flatMap(({ unit, name, limit }) =>
    unit === 'ms' && name === 'p99' ? limit : [],
  );
  const domain = logDomain([
    ...steps.flatMap(({ response: { p50, p99 } }) => [p50.value_ms ?? 1, p99.high_ms ?? p99.value_ms ?? 1]),
    ...limits,
  ]);
  const ticks = linearTicks(greatest(steps.map((step) => step.rate)), width < 500 ? 4 : 8);
  const x = linearScale([0, ticks.at(-1) ?? 1], [frame.left, width - frame.right]);
  const y = logScale(domain, [base, frame.top]);
  return svg(frame, 'P99 by rate', [
    ...yAxis(
      frame,
      logTicks(domain, 7).map((tick) => ({ at: y(tick), label: tickOf(tick) })),
    ),
    ...xAxis(
      frame,
      ticks.map((tick) => ({ at: x(tick), label: `${rate(tick)}/s` })),
    ),
    ...limits.map(
      (ms) => markup`<path class="limit" d="M${frame.left} ${px(y(ms))}H${width - frame.right}"/>`,
    ),
    ...steps.flatMap((step) => {
      const { p50, p99 } = step.response;
      const at = x(step.rate);
      const verdict = step.passed ? 'held' : `did not hold: ${step.reasons.join(', ')}`;
      return [
        markup`<path class="whisker" d="M${px(at)} ${px(y(p99.low_ms ?? p99.value_ms ?? 1))}V${px(y(p99.high_ms ?? p99.value_ms ?? 1))}"/>`,
        markup`<circle class="half-mark" cx="${px(at)}" cy="${px(y(p50.value_ms ?? 1))}" r="3"/>`,
        markup`<circle class="mark${step.passed ? '' : ' missed'}" cx="${px(at)}" cy="${px(y(p99.value_ms ?? 1))}" r="5"/>`,
        hotspot(
          { x: at - 9, y: 0, width: 18, height: base },
          `${rate(step.rate)}/s ${verdict}; P99 ${duration(p99.value_ms)}, P50 ${duration(p50.value_ms)}`,
        ),
      ];
    }),
  ]);
}
