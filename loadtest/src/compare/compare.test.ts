import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { UsageProblem } from '../command/flags.ts';
import { writeResults } from '../command/write-results.ts';
import { exampleRun } from '../fixtures/example-run.ts';
import { betweenSamples } from '../measure/kolmogorov-smirnov.ts';
import { summarize } from '../measure/summarize.ts';
import { randomFor } from '../plan/random.ts';
import type { Sample } from '../sample-schema.ts';
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

  /** `count` questions, `everyMs` one, each answered after 8 ms; a few at once where that is said. */
  function quick(count: number, everyMs: number, atOnce = 1): ReturnType<typeof exampleRun> {
    const whole = exampleRun({ mode: 'closed' });
    const [blank] = whole.samples.filter(({ kind, outcome }) => kind === 'query' && outcome === 'ok');
    const samples = Array.from({ length: count }, (_, n) => {
      const at = Math.floor(n / atOnce) * atOnce * everyMs;
      const times = { planned_ms: at, sent_ms: at, done_ms: at + 8 };
      return { ...(blank as Sample), ...times, n, phase: 'measured' as const };
    });
    const { config, run } = whole.summary;
    return {
      summary: summarize({ config, slo: [], samples, measuredFromMs: 0, inFlightMean: 1, run }),
      samples,
    };
  }

  test('throughput is the true rate, also of a run that took less than a second', () => {
    const [fast, slow] = [quick(100, 2), quick(100, 7)];
    const { figures } = compareRuns(fast, slow, { tolerance: 0.05 });
    const row = figures.find(({ figure }) => figure === 'throughput');
    expect(row?.before).toBeCloseTo(fast.summary.totals.throughput_per_second, 6);
    expect(row?.after).toBeCloseTo(slow.summary.totals.throughput_per_second, 6);
    expect(row).toMatchObject({ verdict: 'worse' });
    expect(row?.high).toBeLessThan(0.5);
  });

  test('one volley is one event: nothing of it is resolved', () => {
    const volley = quick(100, 2, 100);
    const { figures, verdict } = compareRuns(volley, quick(100, 7), { tolerance: 0.05 });
    expect(figures.find(({ figure }) => figure === 'throughput')).toMatchObject({ verdict: 'not resolved' });
    expect(verdict).toBe('not resolved');
  });

  test('a run without one answer has none, and is never better', async () => {
    const good = quick(200, 10);
    const samples = good.samples.map((one) => ({ ...one, outcome: 'connect' as const }));
    const { config, run } = good.summary;
    const dead = {
      summary: summarize({ config, slo: [], samples, measuredFromMs: 0, inFlightMean: 1, run }),
      samples,
    };
    const { figures, verdict } = compareRuns(good, dead, { tolerance: 0.05 });
    expect(verdict).toBe('worse');
    expect(figures.filter((row) => row.verdict === 'better')).toEqual([]);
    expect(compareRuns(dead, dead, { tolerance: 0.05 }).verdict).not.toBe('better');
    const print = vi.spyOn(console, 'log').mockImplementation(() => {});
    await compareCommand([await written(good), await written(dead)]);
    expect(print.mock.calls[0]?.[0]).toContain('no answers');
    expect(print.mock.calls[0]?.[0]).not.toContain('NaN');
  });

  test('a file is read itself, with the samples beside it when they are its own', async () => {
    const [first, other] = [await written(quick(200, 10)), await written(quick(300, 10))];
    const copy = join(first, 'before.json');
    copyFileSync(join(first, 'summary.json'), copy);
    expect(readRun(copy).samples).toHaveLength(200);
    const foreign = join(first, 'after.json');
    copyFileSync(join(other, 'summary.json'), foreign);
    expect(readRun(foreign)).toMatchObject({ summary: { totals: { requests: 300 } }, samples: null });
    const print = vi.spyOn(console, 'log').mockImplementation(() => {});
    expect(await compareCommand([copy, foreign])).toBe(0);
    expect(print.mock.calls[0]?.[0]).toContain('without its samples');
    expect(print.mock.calls[0]?.[0]).toContain('is not resolved');
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
    // With ties: 13.5 of the 16 pairs; z = (13.5 − 8 − 0.5) / √(16/12 · (9 − 30/56)) = 1.488.
    const tied = mannWhitney([1, 2, 2, 3], [2, 3, 4, 5]);
    expect(tied.superiority).toBeCloseTo(13.5 / 16, 9);
    expect(tied.pValue).toBeCloseTo(0.1367, 3);
  });
});
