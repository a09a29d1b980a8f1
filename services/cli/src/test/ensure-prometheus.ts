import { installPackage, planFor, typedBy } from '../install-package.ts';
import { findPrograms } from '../observe/find-programs.ts';
import { watchByHand, watchPlans, watchUnits } from '../observe/install-programs.ts';
import type { Terminal } from '../terminal.ts';

/**
 * Brings Prometheus and promtool for the tests of rules and dashboards, where this user may install them. Without
 * them those are skipped, and the run says so: nothing else of Vortex needs them.
 */
export async function ensurePrometheus(terminal: Terminal, options: { yes: boolean }): Promise<void> {
  if (isComplete()) return;
  const { plan, isRoot, mayRun } = planFor(watchPlans);
  const left = (why: string) =>
    terminal.note(`${why} Tests of alerts and dashboards will be skipped. ${watchByHand()}`);
  if (plan === undefined || !mayRun) return left('Prometheus is not installed.');

  terminal.note('Prometheus is not installed. Its own tools test the alerts, and a real one the dashboards.');
  const commands = typedBy(plan, isRoot);
  if (terminal.interactive && !options.yes && !(await terminal.confirm(`Install it with "${commands}"?`))) {
    return left('Nothing was installed.');
  }
  for (const attempt of plan.attempts) {
    const failure = await installPackage(attempt, terminal, watchUnits);
    if (isComplete()) return;
    if (failure !== null) terminal.note(`  ${failure}`);
  }
  return left(`${plan.manager} brought no Prometheus.`);
}

function isComplete(): boolean {
  return Object.values(findPrograms()).every((program) => program !== null);
}
