import { readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { UsageProblem } from '../command/flags.ts';
import { sample } from '../sample-schema.ts';
import { summary } from '../summary-schema.ts';
import type { Run } from './compare-runs.ts';

/**
 * A result by its folder, or by its summary.json with samples.ndjson beside it.
 * @throws UsageProblem
 */
export function readRun(path: string): Run {
  try {
    const folder = statSync(path).isDirectory() ? path : dirname(path);
    const parsed = summary.parse(JSON.parse(readFileSync(join(folder, 'summary.json'), 'utf8')));
    const lines = readFileSync(join(folder, 'samples.ndjson'), 'utf8').split('\n');
    const samples = lines.filter((line) => line !== '').map((line) => sample.parse(JSON.parse(line)));
    return { summary: parsed, samples };
  } catch (error) {
    const reason = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
    throw new UsageProblem(`${path} is no result of a load test: ${reason}`);
  }
}
