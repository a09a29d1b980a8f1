import { readFileSync } from 'node:fs';
import { percentile } from '../bench/percentile.ts';

/**
 * What the workers of the light chain really ran, written by themselves outside Redis, and what follows from it:
 * how many runs were begun more than once, and how long a killed worker's jobs waited for the next one.
 */
export interface LedgerEntry {
  id: string;
  stage: string;
  pid: number;
  event: 'begin' | 'end';
  atMs: number;
}

export interface Kill {
  pid: number;
  atMs: number;
}

export interface RunCounts {
  /** Stage runs that were begun. */
  runs: number;
  /** Runs begun beyond the first of an id in a stage. */
  repeated: number;
  /** Runs brought to their end beyond the first of an id in a stage: work that was really done twice. */
  finishedTwice: number;
}

/** Epoch milliseconds from the monotonic clock: a `Date` that was tampered with does not move it. */
export function trueNowMs(): number {
  return performance.timeOrigin + performance.now();
}

export function ledgerLine({ id, stage, pid, event, atMs }: LedgerEntry): string {
  return `${id} ${stage} ${pid} ${event} ${atMs.toFixed(3)}\n`;
}

/** A line that was cut by the death of its writer is left out. */
export function readLedger(files: readonly string[]): LedgerEntry[] {
  return files
    .flatMap((file) => readFileSync(file, 'utf8').split('\n'))
    .flatMap((line) => {
      const [id, stage, pid, event, at] = line.split(' ');
      if (id === undefined || stage === undefined || at === undefined) return [];
      if (event !== 'begin' && event !== 'end') return [];
      return [{ id, stage, pid: Number(pid), event, atMs: Number(at) } satisfies LedgerEntry];
    })
    .sort((one, other) => one.atMs - other.atMs);
}

export function countRuns(entries: readonly LedgerEntry[]): RunCounts {
  const begun = tally(entries, 'begin');
  const ended = tally(entries, 'end');
  return {
    runs: sum(begun),
    repeated: sum(begun) - begun.length,
    finishedTwice: sum(ended) - ended.length,
  };
}

function tally(entries: readonly LedgerEntry[], event: LedgerEntry['event']): number[] {
  const counts = new Map<string, number>();
  for (const entry of entries) {
    if (entry.event !== event) continue;
    const name = `${entry.stage} ${entry.id}`;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return [...counts.values()];
}

const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);

/**
 * For every run that a kill cut short: milliseconds from the kill to the next beginning of that stage by another
 * process. A run that was never begun again is not in here; it shows as a job that was lost, or as one that had
 * been settled when the kill came.
 */
export function redeliveryDelays(entries: readonly LedgerEntry[], kills: readonly Kill[]): number[] {
  const ofRun = Map.groupBy(entries, ({ id, stage }) => `${stage} ${id}`);
  const delays: number[] = [];
  for (const run of ofRun.values()) {
    for (const kill of kills) {
      const begun = run.some(
        ({ pid, event, atMs }) => pid === kill.pid && event === 'begin' && atMs <= kill.atMs,
      );
      const next = run.find(
        ({ pid, event, atMs }) => pid !== kill.pid && event === 'begin' && atMs > kill.atMs,
      );
      if (begun && next !== undefined) delays.push(next.atMs - kill.atMs);
    }
  }
  return delays;
}

export function percentileOrNull(values: number[], percent: number): number | null {
  return values.length === 0 ? null : percentile(values, percent);
}
