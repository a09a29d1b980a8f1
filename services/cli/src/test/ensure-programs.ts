import { type InstallPlan, installPackage, onPath, planFor, typedBy } from '../install-package.ts';
import { findPrograms } from '../observe/find-programs.ts';
import { watchPlans, watchUnits } from '../observe/install-programs.ts';
import type { Terminal } from '../terminal.ts';

/** Programs that some tests need and Vortex does not. */
export interface TestPrograms {
  name: string;
  /** What is skipped without them. */
  tests: string;
  suites: readonly string[];
  isThere(): boolean;
  plans: readonly InstallPlan[];
  /** What the packages would start at every boot. */
  units: readonly string[];
}

export const testPrograms: readonly TestPrograms[] = [
  {
    name: 'prometheus',
    tests: 'of alerts and dashboards',
    suites: ['pure', 'e2e'],
    isThere: () => Object.values(findPrograms()).every((program) => program !== null),
    plans: watchPlans,
    units: watchUnits,
  },
  onePackage('tmux', { tests: 'of views in a real terminal', suites: ['e2e'] }),
  onePackage('chromium', {
    tests: 'of pages in a real browser',
    suites: ['e2e'],
    otherNames: ['chromium-browser', 'google-chrome', 'google-chrome-stable'],
  }),
  onePackage('openssl', { tests: 'of TLS, which make certificates', suites: ['pure', 'redis'] }),
  // Debian's docker-compose needs no engine to read a file.
  onePackage('docker-compose', {
    tests: 'that have Compose read docker-compose.yml',
    suites: ['pure'],
    otherNames: ['docker'],
    onAlpine: 'docker-cli-compose',
  }),
];

function onePackage(
  name: string,
  more: Pick<TestPrograms, 'tests' | 'suites'> & { otherNames?: readonly string[]; onAlpine?: string },
): TestPrograms {
  const { tests, suites, otherNames = [], onAlpine = name } = more;
  const isThere = () => [name, ...otherNames].some(onPath);
  return { name, tests, suites, isThere, plans: plansOf(name, onAlpine), units: [] };
}

function plansOf(name: string, onAlpine: string): InstallPlan[] {
  const apt = ['apt-get', 'install', '-y', '--no-install-recommends', name];
  return [
    { manager: 'apt-get', needsRoot: true, attempts: [[['apt-get', 'update'], apt]] },
    { manager: 'dnf', needsRoot: true, attempts: [[['dnf', 'install', '-y', name]]] },
    { manager: 'apk', needsRoot: true, attempts: [[['apk', 'add', '--no-cache', onAlpine]]] },
    { manager: 'brew', needsRoot: false, attempts: [[['brew', 'install', name]]] },
  ];
}

/**
 * Brings the programs that the tests of these suites need, where this user may install them. What cannot be
 * had is skipped by its tests, and the run says so.
 */
export async function ensurePrograms(
  suites: readonly string[],
  terminal: Terminal,
  options: { yes: boolean },
): Promise<void> {
  for (const wanted of testPrograms) {
    if (!wanted.suites.some((suite) => suites.includes(suite)) || wanted.isThere()) continue;
    await ensureProgram(wanted, terminal, options);
  }
}

async function ensureProgram(
  wanted: TestPrograms,
  terminal: Terminal,
  options: { yes: boolean },
): Promise<void> {
  const { name, tests, isThere, plans, units } = wanted;
  const { plan, isRoot, mayRun } = planFor(plans);
  const byHand = plan === undefined ? `Install ${name}` : `Type: ${typedBy(plan, isRoot)}`;
  const left = (why: string) =>
    terminal.note(`${why} The tests ${tests} will be skipped. ${byHand} to run them.`);
  if (plan === undefined || !mayRun) return left(`${name} is not installed.`);

  terminal.note(`${name} is not installed. Some tests want it; nothing else does.`);
  const command = typedBy(plan, isRoot);
  if (terminal.interactive && !options.yes && !(await terminal.confirm(`Install it with "${command}"?`))) {
    return left('Nothing was installed.');
  }
  for (const attempt of plan.attempts) {
    const failure = await installPackage(attempt, terminal, units);
    if (isThere()) return;
    if (failure !== null) terminal.note(`  ${failure}`);
  }
  return left(`${plan.manager} brought no ${name}.`);
}
