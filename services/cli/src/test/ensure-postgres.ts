import { findPostgres } from '@vortex/testkit/private-postgres';
import { type InstallPlan, installPackage, planFor, typedBy } from '../install-package.ts';
import type { Terminal } from '../terminal.ts';

/** The server's programs; no package starts one of its own (install-package.ts). */
export const postgresPlans: readonly InstallPlan[] = [
  {
    manager: 'apt-get',
    needsRoot: true,
    attempts: [
      [
        ['apt-get', 'update'],
        ['apt-get', 'install', '-y', '--no-install-recommends', 'postgresql'],
      ],
    ],
  },
  { manager: 'dnf', needsRoot: true, attempts: [[['dnf', 'install', '-y', 'postgresql-server']]] },
  { manager: 'apk', needsRoot: true, attempts: [[['apk', 'add', '--no-cache', 'postgresql']]] },
  { manager: 'brew', needsRoot: false, attempts: [[['brew', 'install', 'postgresql']]] },
];

/**
 * Brings PostgreSQL for the tests of the registry's second adapter, where this user may install it. Without it
 * they are skipped, and the run says so: nothing else of Vortex needs it.
 */
export async function ensurePostgres(terminal: Terminal, options: { yes: boolean }): Promise<void> {
  if (findPostgres() !== null) return;
  const { plan, isRoot, mayRun } = planFor(postgresPlans);
  const byHand = plan === undefined ? 'Install PostgreSQL' : `Type: ${typedBy(plan, isRoot)}`;
  const left = (why: string) =>
    terminal.note(`${why} The tests of the registry in PostgreSQL will be skipped. ${byHand} to run them.`);
  if (plan === undefined || !mayRun) return left('PostgreSQL is not installed.');

  terminal.note('PostgreSQL is not installed. The registry can live in it, and its tests want a real one.');
  const commands = typedBy(plan, isRoot);
  if (terminal.interactive && !options.yes && !(await terminal.confirm(`Install it with "${commands}"?`))) {
    return left('Nothing was installed.');
  }
  for (const attempt of plan.attempts) {
    const failure = await installPackage(attempt, terminal, ['postgresql']);
    if (findPostgres() !== null) return;
    if (failure !== null) terminal.note(`  ${failure}`);
  }
  return left(`${plan.manager} brought no PostgreSQL.`);
}
