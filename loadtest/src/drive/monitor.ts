import type { RunSnapshot } from '../live-view.ts';
import { createLatencyHistogram } from '../measure/latency-histogram.ts';
import { kindOf, orderOf, partsOf } from '../measure/stage-table.ts';
import { type Outcome, type Sample, timesOf } from '../sample-schema.ts';
import type { RunListener } from './request-runner.ts';

/** Watches a run for the live view: totals since the beginning, latencies and rates of the last ten seconds. */
export interface Monitor extends Required<RunListener> {
  snapshot(now: Pick<RunSnapshot, 'elapsedMs' | 'phase' | 'progress' | 'activity' | 'inFlight'>): RunSnapshot;
}

const windowSeconds = 10;

interface Slot {
  second: number;
  due: number;
  sent: number;
  latencies: number[];
  stages: Map<string, number>;
  withStages: number;
}

export function createMonitor(options: { headline: 'response' | 'service'; isOpen: boolean }): Monitor {
  const slots: Slot[] = [];
  const failures: Partial<Record<Outcome, number>> = {};
  let sent = 0;
  let ok = 0;
  let failed = 0;

  /** The slot of a moment; moments come nearly in order, and what is older than the window is let go. */
  function slotAt(atMs: number): Slot {
    const second = Math.floor(atMs / 1000);
    const known = slots.find((slot) => slot.second === second);
    if (known !== undefined) return known;
    const slot: Slot = { second, due: 0, sent: 0, latencies: [], stages: new Map(), withStages: 0 };
    slots.push(slot);
    slots.sort((a, b) => a.second - b.second);
    while (slots.length > windowSeconds + 1) slots.shift();
    return slot;
  }

  function ended(sample: Sample): void {
    const times = timesOf(sample);
    if (times !== null) sent += 1;
    if (sample.outcome !== 'ok') {
      failed += 1;
      failures[sample.outcome] = (failures[sample.outcome] ?? 0) + 1;
    } else ok += 1;
    if (times === null || sample.done_ms === null) return;
    const slot = slotAt(sample.done_ms);
    slot.sent += 1;
    if (sample.outcome !== 'ok' || sample.kind !== 'query') return;
    slot.latencies.push(options.headline === 'response' ? times.responseMs : times.serviceMs);
    const parts = partsOf(sample);
    if (parts === null) return;
    slot.withStages += 1;
    for (const { stage, ms } of parts) slot.stages.set(stage, (slot.stages.get(stage) ?? 0) + ms);
  }

  return {
    due(plannedMs) {
      slotAt(plannedMs).due += 1;
    },
    ended,
    snapshot({ elapsedMs, inFlight, ...rest }) {
      const from = Math.floor(elapsedMs / 1000) - windowSeconds;
      const recent = slots.filter(({ second }) => second >= from);
      const spanSeconds = Math.min(elapsedMs / 1000, windowSeconds + ((elapsedMs / 1000) % 1));
      const perSecond = (count: number) => (spanSeconds === 0 ? 0 : count / spanSeconds);
      const histogram = createLatencyHistogram(recent.flatMap(({ latencies }) => latencies));
      return {
        ...rest,
        elapsedMs,
        offeredPerSecond: options.isOpen ? perSecond(sum(recent, ({ due }) => due)) : null,
        achievedPerSecond: perSecond(sum(recent, (slot) => slot.sent)),
        inFlight,
        sent: sent + inFlight,
        ok,
        failed,
        window: {
          p50Ms: histogram.quantileMs(0.5),
          p95Ms: histogram.quantileMs(0.95),
          p99Ms: histogram.quantileMs(0.99),
        },
        failures: { ...failures },
        stages: stageShares(recent),
      };
    },
  };
}

function stageShares(slots: readonly Slot[]): RunSnapshot['stages'] {
  const totals = new Map<string, number>();
  for (const { stages } of slots) {
    for (const [stage, ms] of stages) totals.set(stage, (totals.get(stage) ?? 0) + ms);
  }
  const count = sum(slots, ({ withStages }) => withStages);
  const whole = [...totals.values()].reduce((all, ms) => all + ms, 0);
  return [...totals]
    .sort(([a], [b]) => orderOf(a) - orderOf(b))
    .map(([stage, ms]) => ({
      stage,
      kind: kindOf(stage),
      share: whole === 0 ? 0 : ms / whole,
      meanMs: ms / Math.max(1, count),
    }));
}

function sum<Item>(items: readonly Item[], amountOf: (item: Item) => number): number {
  return items.reduce((total, item) => total + amountOf(item), 0);
}
