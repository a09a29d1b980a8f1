import type { TimelinePoint } from '../figures-schema.ts';
import { type Sample, timesOf } from '../sample-schema.ts';
import { greatest } from './extremes.ts';
import { quantileRank } from './order-statistics.ts';
import { partsOf } from './stage-table.ts';

/** Second by second, warm-up included. `headline` is the latency the run is judged by. */
export function timeline(
  samples: readonly Sample[],
  options: { headline: 'response' | 'service'; measuredFromMs: number },
): TimelinePoint[] {
  const endMs = greatest(
    samples.map(({ planned_ms, done_ms }) => done_ms ?? planned_ms),
    0,
  );
  if (samples.length === 0) return [];
  const seconds = Array.from({ length: Math.floor(endMs / 1000) + 1 }, () => ({
    offered: 0,
    sent: 0,
    ended: 0,
    latencies: [] as number[],
    failed: {} as TimelinePoint['failed'],
    stages: new Map<string, number>(),
    withStages: 0,
  }));
  for (const sample of samples) {
    const planned = seconds[secondOf(sample.planned_ms)];
    if (planned) planned.offered += 1;
    if (sample.sent_ms !== null) {
      const sent = seconds[secondOf(sample.sent_ms)];
      if (sent) sent.sent += 1;
    }
    const done = seconds[secondOf(sample.done_ms ?? sample.planned_ms)];
    if (!done) continue;
    const times = timesOf(sample);
    if (times !== null) done.ended += 1;
    if (sample.outcome !== 'ok' || times === null) {
      done.failed[sample.outcome] = (done.failed[sample.outcome] ?? 0) + 1;
      continue;
    }
    done.latencies.push(options.headline === 'response' ? times.responseMs : times.serviceMs);
    const parts = partsOf(sample);
    if (parts === null) continue;
    done.withStages += 1;
    for (const { stage, ms } of parts) done.stages.set(stage, (done.stages.get(stage) ?? 0) + ms);
  }

  let inFlight = 0;
  return seconds.map(({ offered, sent, ended, latencies, failed, stages, withStages }, second) => {
    inFlight += sent - ended;
    latencies.sort((a, b) => a - b);
    const at = (probability: number) => latencies[quantileRank(latencies.length, probability) - 1] ?? null;
    return {
      second,
      phase: (second + 1) * 1000 <= options.measuredFromMs ? 'warmup' : 'measured',
      offered,
      sent,
      ok: latencies.length,
      failed,
      in_flight: inFlight,
      p50_ms: at(0.5),
      p95_ms: at(0.95),
      p99_ms: at(0.99),
      max_ms: latencies.at(-1) ?? null,
      stages_ms: Object.fromEntries([...stages].map(([stage, ms]) => [stage, ms / withStages])),
    };
  });
}

function secondOf(ms: number): number {
  return Math.max(0, Math.floor(ms / 1000));
}
