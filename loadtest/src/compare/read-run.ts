import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { UsageProblem } from '../command/flags.ts';
import { type Sample, sample } from '../sample-schema.ts';
import { type Summary, summary } from '../summary-schema.ts';
import type { Run } from './compare-runs.ts';

/**
 * A result by its folder, or by the file of its summary whatever its name is. A file may have been copied away from its
 * samples, or beside another run's: those beside it are taken when they are its own.
 * @throws UsageProblem
 */
export function readRun(path: string): Run {
  try {
    const isFolder = statSync(path).isDirectory();
    const parsed = summary.parse(
      JSON.parse(readFileSync(isFolder ? join(path, 'summary.json') : path, 'utf8')),
    );
    const beside = join(isFolder ? path : dirname(path), 'samples.ndjson');
    if (isFolder) return { summary: parsed, samples: readSamples(beside) };
    const samples = existsSync(beside) ? readSamples(beside) : [];
    return { summary: parsed, samples: areOf(parsed, samples) ? samples : null };
  } catch (error) {
    const reason = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
    throw new UsageProblem(`${path} is no result of a load test: ${reason}`);
  }
}

/** Line by line: all of a long run's are more than a string can hold. */
function readSamples(file: string): Sample[] {
  const bytes = readFileSync(file);
  const samples: Sample[] = [];
  for (let from = 0; from < bytes.length; ) {
    const found = bytes.indexOf(10, from);
    const to = found === -1 ? bytes.length : found;
    if (to > from) samples.push(sample.parse(JSON.parse(bytes.toString('utf8', from, to))));
    from = to + 1;
  }
  return samples;
}

/** Trace ids are of one run alone; a run without an answer is known by its numbers. */
function areOf({ totals, slowest, timeline }: Summary, samples: readonly Sample[]): boolean {
  const queries = samples.filter(({ kind }) => kind === 'query').length;
  const offered = timeline.reduce((sum, second) => sum + second.offered, 0);
  const traces = new Set(samples.map(({ trace_id }) => trace_id));
  return totals.requests > 0 && queries === offered && slowest.every(({ trace_id }) => traces.has(trace_id));
}
