import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../bench/private-stack.ts';
import { dataFolder, instancePaths, launcherName } from '../folders.ts';
import { CommandProblem } from '../problem.ts';
import { readRunFile } from '../supervisor/run-file.ts';
import { table } from '../table.ts';
import type { Terminal } from '../terminal.ts';
import { checkDashboards, type DashboardReport } from './check-dashboards.ts';
import { exercise } from './exercise.ts';
import { faults } from './faults.ts';
import { ensureWatchPrograms } from './install-programs.ts';
import { type DrillResult, runDrill } from './run-drill.ts';
import { startWatchedStack } from './watched-stack.ts';

/** At a speed of ten the slowest rules are recorded every six seconds, and a scrape comes every second. */
const checkSpeed = 10;
const checkWithinMs = 40_000;
/** Two at that speed. */
const scrapesMs = 2500;

/** False when a query brought nothing. @throws CommandProblem when there is nothing to ask */
export async function observeCheck(
  options: { data?: string; json: boolean },
  terminal: Terminal,
): Promise<boolean> {
  const report =
    options.data === undefined
      ? await checkOwnStack(terminal)
      : await checkInstance(dataFolder(options.data));
  console.log(options.json ? JSON.stringify(report, null, 2) : dashboardText(report));
  return report.ok;
}

/** As it is, with the committed rules and intervals: what has not happened there has no series. */
async function checkInstance(data: string): Promise<DashboardReport> {
  const run = readRunFile(instancePaths(data).runFile);
  const url = run?.processes.find(({ service }) => service === 'prometheus')?.url;
  if (url == null) {
    throw new CommandProblem(`Nothing on ${data} runs with --observe.`, {
      ways: [`Start it: ${launcherName()} up --observe --data ${data}`],
    });
  }
  return checkDashboards(url, { rateWindow: '1m', withinMs: 0 });
}

async function checkOwnStack(terminal: Terminal): Promise<DashboardReport> {
  await ensureWatchPrograms(terminal, { yes: true });
  const step = terminal.step('A short run of a watched stack');
  // Long enough for a scrape to find questions under way.
  const settings = ['mock_llm.latency_ms=250'];
  const stack = await startWatchedStack({ port: await freePort(), speed: checkSpeed, settings });
  try {
    const { gateway_url: url, redis_url: redisUrl } = stack.run();
    // A series that is new has not grown yet: the first round makes them, the second lets them grow.
    await exercise({ url, redisUrl, round: 1 });
    await delay(scrapesMs);
    await exercise({ url, redisUrl, round: 2 });
    step.update('its dashboards');
    const report = await checkDashboards(stack.process('prometheus').url, {
      rateWindow: '20s',
      withinMs: checkWithinMs,
    });
    step.done();
    return report;
  } finally {
    await stack.stop();
  }
}

/** False when a fault raised other alerts than it should. @throws CommandProblem for a fault that is none */
export async function observeDrill(
  options: { only: string[]; speed: number; json: boolean },
  terminal: Terminal,
): Promise<boolean> {
  const unknown = options.only.filter((name) => !faults.some((fault) => fault.name === name));
  if (unknown.length > 0) {
    const ways = [`There are: ${faults.map(({ name }) => name).join(', ')}`];
    throw new CommandProblem(`There is no fault ${unknown.join(', ')}.`, { ways, exitCode: 2 });
  }
  const programs = await ensureWatchPrograms(terminal, { yes: true });
  if (programs.alertmanager === null || programs.redisExporter === null) {
    throw new CommandProblem('The drill needs Alertmanager and the Redis exporter too.');
  }
  const results: DrillResult[] = [];
  for (const fault of faults) {
    if (options.only.length > 0 && !options.only.includes(fault.name)) continue;
    const step = terminal.step(fault.name);
    const { speed } = options;
    // The slowest of them looks at ten minutes for ten minutes.
    const watchMs = fault.alerts.length === 0 ? 30_000 : 1_500_000 / speed;
    results.push(await runDrill(fault, { port: await freePort(), speed, watchMs, afterMs: 120_000 / speed }));
    step.done();
  }
  console.log(
    options.json
      ? JSON.stringify({ speed: options.speed, results }, null, 2)
      : drillText(results, options.speed),
  );
  return results.every(({ ok }) => ok);
}

function dashboardText({ queries, empty }: DashboardReport): string {
  if (empty.length === 0) return `All ${queries} queries of the dashboards bring series.`;
  const rows = empty.map(({ dashboard, panel, reason, expression }) => [
    dashboard,
    panel,
    reason,
    expression,
  ]);
  return `${table(['dashboard', 'panel', 'lack', 'query'], rows)}\n\n${empty.length} of ${queries} queries bring nothing.`;
}

function drillText(results: readonly DrillResult[], speed: number): string {
  const rows = results.map(({ fault, ok, fired, passed_on, expected }) => [
    fault,
    ok ? 'yes' : `no, expected ${expected.join(', ') || 'none'}`,
    fired
      .map(({ name, about, after_s }) => `${name}${about === '' ? '' : `(${about})`} after ${after_s} s`)
      .join(', '),
    passed_on.join(', '),
  ]);
  const note =
    speed === 1
      ? 'The rules are as committed.'
      : `Windows, waits and look-ahead of the rules are ${speed} times shorter than committed, scrapes and evaluations every second; thresholds are as committed.`;
  return `${table(['fault', 'as the runbook says', 'fired', 'passed on'], rows)}\n\n${note}`;
}
