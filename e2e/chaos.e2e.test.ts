import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ChaosReport } from '../services/cli/src/chaos/report.ts';

/** The shortened run: one fault per family that matters most, side by side. All of them: `./vortex chaos`. */
const launcher = join(import.meta.dirname, '..', 'vortex');

function chaos(...words: string[]): Promise<{ code: number; report: ChaosReport }> {
  return new Promise((resolve, reject) => {
    execFile(
      launcher,
      ['chaos', '--json', ...words],
      { maxBuffer: 16 * 1024 * 1024 },
      (error, stdout, stderr) => {
        if (stdout === '') reject(new Error(`chaos said nothing but:\n${stderr}`));
        else resolve({ code: typeof error?.code === 'number' ? error.code : 0, report: JSON.parse(stdout) });
      },
    );
  });
}

const complaints = ({ scenarios }: ChaosReport) =>
  scenarios.flatMap(({ name, error, checks }) => [
    ...(error === null ? [] : [`${name}: ${error}`]),
    ...checks.filter(({ ok }) => !ok).map(({ what, seen }) => `${name}: ${what}: ${seen}`),
  ]);

describe('vortex chaos, shortened', () => {
  it('holds when all workers are killed, and when replies are swallowed', async () => {
    const runs = await Promise.all([
      chaos('--only', 'kill-all-workers', '--jobs', '3000'),
      chaos('--only', 'swallowed-reply', '--jobs', '3000'),
    ]);
    for (const { code, report } of runs) {
      expect(complaints(report)).toEqual([]);
      expect(report.totals.lost).toBe(0);
      expect(report.totals.jobs).toBeGreaterThan(50);
      expect(code).toBe(0);
    }
  });

  it('knows its scenarios, and refuses a name that is none', async () => {
    const refused = await new Promise((resolve) => {
      execFile(launcher, ['chaos', '--only', 'no-such-fault'], (error, _stdout, stderr) =>
        resolve({ code: error?.code, said: stderr.split('\n')[0] }),
      );
    });
    expect(refused).toEqual({ code: 2, said: 'vortex: There is no scenario no-such-fault.' });
  });
});
