import { type InstallPlan, installPackage, planFor, typedBy } from '../install-package.ts';
import { CommandProblem } from '../problem.ts';
import type { Terminal } from '../terminal.ts';
import { findPrograms, type WatchPrograms } from './find-programs.ts';

/** Debian and its kin have all of them (promtool comes with prometheus); elsewhere they are downloads. */
export const watchPlans: readonly InstallPlan[] = [
  {
    manager: 'apt-get',
    needsRoot: true,
    attempts: [
      [
        ['apt-get', 'update'],
        [
          ...['apt-get', 'install', '-y', '--no-install-recommends'],
          ...['prometheus', 'prometheus-alertmanager', 'prometheus-redis-exporter'],
        ],
      ],
    ],
  },
];

/** What the packages would start at every boot. */
export const watchUnits = ['prometheus', 'prometheus-alertmanager', 'prometheus-redis-exporter'];

const downloads =
  'Install prometheus, alertmanager and redis_exporter (https://prometheus.io/download/, https://github.com/oliver006/redis_exporter) so that they are on the PATH';

/** What to type to have them all, for this user. */
function watchByHand(): string {
  const { plan, isRoot } = planFor(watchPlans);
  return plan === undefined ? downloads : `Type: ${typedBy(plan, isRoot)}`;
}

/**
 * Finds the programs of `up --observe`, or installs them where this user may: never by sudo, announced, and
 * asked for on a terminal unless `yes`. Prometheus is a must; without the others the watch is smaller, and that is said.
 * @throws CommandProblem saying what to type
 */
export async function ensureWatchPrograms(
  terminal: Terminal,
  options: { yes: boolean },
): Promise<WatchPrograms & { prometheus: string }> {
  let programs = findPrograms();
  if (missing(programs).length > 0) {
    await install(programs, terminal, options);
    programs = findPrograms();
  }
  const { prometheus } = programs;
  if (prometheus === null) {
    throw new CommandProblem('Prometheus is not installed.', {
      ways: [watchByHand(), 'Or start without --observe'],
    });
  }
  for (const [name, loss] of missing(programs)) {
    terminal.note(`${name} is not installed: ${loss}. ${watchByHand()}`);
  }
  return { ...programs, prometheus };
}

async function install(
  programs: WatchPrograms,
  terminal: Terminal,
  options: { yes: boolean },
): Promise<void> {
  const { plan, isRoot, mayRun } = planFor(watchPlans);
  if (plan === undefined || !mayRun) return;
  const names = missing(programs).map(([name]) => name);
  terminal.note(`${names.join(', ')}: not installed.`);
  const commands = typedBy(plan, isRoot);
  if (terminal.interactive && !options.yes && !(await terminal.confirm(`Install with "${commands}"?`)))
    return;
  for (const attempt of plan.attempts) {
    const failure = await installPackage(attempt, terminal, watchUnits);
    if (failure === null) return;
    terminal.note(`  ${failure}`);
  }
}

/** With what goes unseen without it. */
function missing(programs: WatchPrograms): [name: string, loss: string][] {
  const all: [keyof WatchPrograms, string, string][] = [
    ['prometheus', 'prometheus', 'nothing is recorded'],
    ['alertmanager', 'alertmanager', 'alerts fire in Prometheus and are sent nowhere'],
    ['redisExporter', 'redis_exporter', 'Redis itself is not watched, its alerts cannot fire'],
  ];
  return all.filter(([key]) => programs[key] === null).map(([, name, loss]) => [name, loss]);
}
