import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { UsageProblem } from '../command/flags.ts';
import { writeResults } from '../command/write-results.ts';
import { exampleRun } from '../fixtures/example-run.ts';
import { betweenSamples } from '../measure/kolmogorov-smirnov.ts';
import { randomFor } from '../plan/random.ts';
import { compareCommand } from './compare-command.ts';
import { compareRuns } from './compare-runs.ts';
import { mannWhitney } from './mann-whitney.ts';
import { readRun } from './read-run.ts';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
  vi.restoreAllMocks();
});
async function written(run: ReturnType<typeof exampleRun>): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'loadtest-'));
  folders.push(folder);
  await writeResults(run.summary, run.samples, folder);
  return folder;
}

/** The example with every answer slower by a factor, and of another day. */
function slower(factor: number, seed = 2): ReturnType<typeof exampleRun> {
  const run = exampleRun({ seed });
  const samples = run.samples.map((one) => ({
    ...one,
    done_ms: one.done_ms === null ? null : one.planned_ms + (one.done_ms - one.planned_ms) * factor,
  }));
  return { summary: { ...run.summary, config: exampleRun().summary.config }, samples };
}
const verdictsOf = (after: ReturnType<typeof exampleRun>) => {
  const { figures, verdict } = compareRuns(exampleRun(), after, { tolerance: 0.05 });
  return { verdict, ...Object.fromEntries(figures.map((row) => [row.figure, row.verdict])) };
};

describe('compare', { timeout: 30_000 }, () => {
  test('a fifth slower is worse, a fifth quicker is better, the same again is noise', () => {
    expect(verdictsOf(slower(1.2))).toMatchObject({ p50: 'worse', throughput: 'noise', verdict: 'worse' });
    expect(verdictsOf(slower(0.8))).toMatchObject({ p50: 'better', verdict: 'better' });
    expect(verdictsOf(slower(1))).toMatchObject({ p50: 'noise', p95: 'noise', verdict: 'noise' });
  });

  test('a change that is sure but small is noise', () => {
    expect(verdictsOf(slower(1.03))).toMatchObject({ p50: 'noise' });
  });

  test('a quantile with too few samples decides nothing', () => {
    const short = exampleRun({ seconds: 10 });
    const { figures } = compareRuns(short, slower(3), { tolerance: 0.05 });
    expect(figures.find(({ figure }) => figure === 'p99')?.verdict).toBe('not resolved');
  });

  test('is the same each time', () => {
    expect(compareRuns(exampleRun(), slower(1.1), { tolerance: 0.05 })).toEqual(
      compareRuns(exampleRun(), slower(1.1), { tolerance: 0.05 }),
    );
  });

  test('from folders: exit code 5 when worse, 0 otherwise, and what was asked differently is refused', async () => {
    const print = vi.spyOn(console, 'log').mockImplementation(() => {});
    const [first, worse] = [await written(exampleRun()), await written(slower(1.2))];
    expect(await compareCommand([first, worse])).toBe(5);
    expect(print.mock.calls[0]?.[0]).toContain('B is worse than A');
    expect(await compareCommand([worse, first, '--json'])).toBe(0);
    const other = await written(exampleRun({ rate: 50 }));
    const { summary } = readRun(other);
    writeFileSync(
      join(other, 'summary.json'),
      JSON.stringify({ ...summary, config: { ...summary.config, hash: 'another' } }),
    );
    await expect(compareCommand([first, other])).rejects.toThrow(/rate 40 and 50.*--force/);
    expect(await compareCommand([first, other, '--force'])).toBeOneOf([0, 5]);
    await expect(compareCommand([first])).rejects.toThrow(UsageProblem);
    await expect(compareCommand([first, tmpdir()])).rejects.toThrow(/no result of a load test/);
  });
});

describe('the tests on two samples', () => {
  const random = randomFor(1, 'tests');
  const drawn = (shift: number, count = 400) => Array.from({ length: count }, () => random() + shift);

  test('p values are small for a shift, and even for none', () => {
    expect(mannWhitney(drawn(0), drawn(0.2)).pValue).toBeLessThan(1e-6);
    expect(betweenSamples(drawn(0), drawn(0.2)).pValue).toBeLessThan(1e-4);
    let small = 0;
    for (let round = 0; round < 200; round++) {
      if (mannWhitney(drawn(0, 60), drawn(0, 60)).pValue < 0.05) small += 1;
    }
    expect(small).toBeLessThan(22);
  });

  test('as a textbook has them', () => {
    // 21 of the 25 pairs; z = (21 − 12.5 − 0.5) / √(25 · 11 / 12) = 1.671.
    const { superiority, pValue } = mannWhitney([1, 2, 3, 5, 8], [4, 6, 7, 9, 10]);
    expect(superiority).toBeCloseTo(21 / 25, 9);
    expect(pValue).toBeCloseTo(0.0947, 3);
  });
});
