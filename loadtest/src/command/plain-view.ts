import type { LiveView } from '../live-view.ts';
import { describeConfig } from './describe-run.ts';
import { ms, percent } from './terminal-table.ts';

const lineEveryMs = 5_000;

/** A line every five seconds, for logs and for terminals that are none. */
export function createPlainView(print: (line: string) => void): LiveView {
  let nextMs = 0;
  return {
    start(config) {
      print(describeConfig(config));
    },
    update({
      elapsedMs,
      phase,
      activity,
      offeredPerSecond,
      achievedPerSecond,
      inFlight,
      window,
      failed,
      stages,
    }) {
      if (elapsedMs < nextMs) return;
      nextMs = elapsedMs + lineEveryMs;
      const rate =
        offeredPerSecond === null
          ? `${achievedPerSecond.toFixed(1)}/s`
          : `${achievedPerSecond.toFixed(1)} of ${offeredPerSecond.toFixed(1)}/s`;
      const largest = stages.toSorted((a, b) => b.share - a.share)[0];
      print(
        [
          `${(elapsedMs / 1000).toFixed(0).padStart(4)} s`,
          activity ?? (phase === 'measured' ? '' : phase),
          rate,
          `${inFlight} in flight`,
          `P50 ${ms(window.p50Ms)}  P95 ${ms(window.p95Ms)}  P99 ${ms(window.p99Ms)}`,
          failed === 0 ? '' : `${failed} failed`,
          largest === undefined ? '' : `most of it: ${largest.stage} ${percent(largest.share)}`,
        ]
          .filter((part) => part !== '')
          .join('  '),
      );
    },
    note: print,
    end() {},
  };
}
