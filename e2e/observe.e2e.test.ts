import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { DashboardReport } from '../services/cli/src/observe/check-dashboards.ts';
import { findPrograms } from '../services/cli/src/observe/find-programs.ts';

const launcher = join(import.meta.dirname, '..', 'vortex');
const { prometheus, alertmanager, redisExporter } = findPrograms();
const isComplete = prometheus !== null && alertmanager !== null && redisExporter !== null;

describe('a watched stack', () => {
  // The drill of alerts takes six minutes: `./vortex observe drill`.
  it('brings series for every query of every dashboard', async (context) => {
    if (!isComplete) return context.skip('Prometheus, Alertmanager or the Redis exporter is not installed');
    const said = await new Promise<string>((resolve) => {
      // Exit code 1 says what the report says.
      execFile(launcher, ['observe', 'check', '--json'], (_failure, stdout, stderr) =>
        resolve(stdout || stderr),
      );
    });
    const report = JSON.parse(said) as DashboardReport;
    expect(report.empty).toEqual([]);
    expect(report.queries).toBeGreaterThan(100);
  });
});
