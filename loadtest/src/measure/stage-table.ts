import type { StageRow, StageTable } from '../figures-schema.ts';
import { type Sample, timesOf } from '../sample-schema.ts';
import { createLatencyHistogram } from './latency-histogram.ts';

export const residualStage = 'network + unaccounted';

/** Not parts of the whole: `total` is the whole, and the first token comes within `generate`. */
const notParts = new Set(['total', 'first_token']);
/** As the target spends its time (libs/contracts/src/timings.ts); a name that is not here comes after them. */
const pipelineOrder = [
  'receive',
  'cache_lookup',
  'admit',
  'shared',
  ...['encode', 'retrieve', 'generate'].flatMap((stage) => [`queue_${stage}`, `retry_${stage}`, stage]),
  'deliver',
  'reply',
];
const gatewayParts = new Set(['receive', 'cache_lookup', 'admit', 'deliver', 'reply']);

export interface StagePart {
  stage: string;
  kind: StageRow['kind'];
  ms: number;
}

/** The client's time of one answer, taken apart; the residual is the last. Null: the target did not say. */
export function partsOf(sample: Sample): StagePart[] | null {
  const times = timesOf(sample);
  if (times === null || sample.timings_ms === null) return null;
  const parts: StagePart[] = Object.entries(sample.timings_ms)
    .filter(([stage]) => !notParts.has(stage))
    .map(([stage, ms]) => ({ stage, kind: kindOf(stage), ms }));
  parts.sort((a, b) => orderOf(a.stage) - orderOf(b.stage));
  const known = parts.reduce((sum, { ms }) => sum + ms, 0);
  // The service time: how late the load tester itself was is no part of the target's time.
  parts.push({ stage: residualStage, kind: 'other', ms: Math.max(0, times.serviceMs - known) });
  return parts;
}

export function kindOf(stage: string): StageRow['kind'] {
  if (/^(queue|retry)_/.test(stage) || stage === 'shared') return 'queue';
  return gatewayParts.has(stage) || stage === residualStage ? 'other' : 'service';
}

export function orderOf(stage: string): number {
  if (stage === residualStage) return pipelineOrder.length + 1;
  const place = pipelineOrder.indexOf(stage);
  return place === -1 ? pipelineOrder.length : place;
}

interface TakenApart {
  totalMs: number;
  parts: ReadonlyMap<string, number>;
}

/** Where the time of the given samples went: at the median, and in the slowest hundredth. */
export function stageTable(samples: readonly Sample[]): StageTable | null {
  const apart: TakenApart[] = [];
  const names = new Set<string>();
  for (const sample of samples) {
    const parts = partsOf(sample);
    if (parts === null) continue;
    for (const { stage } of parts) names.add(stage);
    const totalMs = parts.reduce((sum, { ms }) => sum + ms, 0);
    apart.push({ totalMs, parts: new Map(parts.map(({ stage, ms }) => [stage, ms])) });
  }
  if (apart.length === 0) return null;
  apart.sort((a, b) => a.totalMs - b.totalMs);
  const count = apart.length;
  const middle = apart.slice(Math.floor(count * 0.45), Math.max(Math.ceil(count * 0.55), 1));
  const slowest = apart.slice(-slowestOf(count));
  const timeAtMedian = meanOf(middle, ({ totalMs }) => totalMs);
  const timeInTail = meanOf(slowest, ({ totalMs }) => totalMs);

  const rows = [...names]
    .sort((a, b) => orderOf(a) - orderOf(b))
    .map((stage): StageRow => {
      const msOf = ({ parts }: TakenApart) => parts.get(stage) ?? 0;
      const all = createLatencyHistogram(apart.map(msOf));
      const atMedian = meanOf(middle, msOf);
      const inTail = meanOf(slowest, msOf);
      return {
        stage,
        kind: kindOf(stage),
        mean_ms: all.summary().mean_ms ?? 0,
        p50_ms: all.quantileMs(0.5) ?? 0,
        p99_ms: all.quantileMs(0.99) ?? 0,
        at_median_ms: atMedian,
        share_at_median: shareOf(atMedian, timeAtMedian),
        in_tail_ms: inTail,
        share_in_tail: shareOf(inTail, timeInTail),
      };
    });
  const residual = rows.at(-1);
  const withoutWaits = apart.map(({ totalMs, parts }) =>
    [...parts].reduce((ms, [stage, part]) => (kindOf(stage) === 'queue' ? ms - part : ms), totalMs),
  );
  return {
    requests: count,
    rows,
    explained_at_median: 1 - (residual?.share_at_median ?? 0),
    explained_in_tail: 1 - (residual?.share_in_tail ?? 0),
    without_queue_waits: createLatencyHistogram(withoutWaits).summary(),
  };
}

/** So many of the slowest are the tail: a hundredth, or ten where that is more. */
export function slowestOf(count: number): number {
  return Math.min(count, Math.max(10, Math.ceil(count * 0.01)));
}

function meanOf<Item>(items: readonly Item[], msOf: (item: Item) => number): number {
  return items.reduce((sum, item) => sum + msOf(item), 0) / Math.max(1, items.length);
}

function shareOf(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}
