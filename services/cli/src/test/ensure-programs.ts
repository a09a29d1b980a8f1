import { type InstallPlan, installPackage, onPath, planFor, typedBy } from '../install-package.ts';
import type { Terminal } from '../terminal.ts';

/** A program that some tests need and Vortex does not. */
export interface TestProgram {
  /** Any of these names will do. */
  names: readonly string[];
  /** What is skipped without it. */
  tests: string;
  suites: readonly string[];
  /** As the package managers call it. */
  packages: { 'apt-get': string; dnf: string; apk: string; brew: string };
}

export const testPrograms: readonly TestProgram[] = [
  {
    names: ['tmux'],
    tests: 'of views in a real terminal',
    suites: ['e2e'],
    packages: { 'apt-get': 'tmux', dnf: 'tmux', apk: 'tmux', brew: 'tmux' },
  },
  {
    names: ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'],
    tests: 'of pages in a real browser',
    suites: ['e2e'],
    packages: { 'apt-get': 'chromium', dnf: 'chromium', apk: 'chromium', brew: 'chromium' },
  },
  {
    // Debian's docker-compose needs no engine to read a file.
    names: ['docker', 'docker-compose'],
    tests: 'that have Compose read docker-compose.yml',
    suites: ['pure'],
    packages: {
      'apt-get': 'docker-compose',
      dnf: 'docker-compose',
      apk: 'docker-cli-compose',
      brew: 'docker-compose',
    },
  },
];

export function installPlansOf({ packages }: TestProgram): InstallPlan[] {
  const apt = ['apt-get', 'install', '-y', '--no-install-recommends', packages['apt-get']];
  return [
    { manager: 'apt-get', needsRoot: true, attempts: [[['apt-get', 'update'], apt]] },
    { manager: 'dnf', needsRoot: true, attempts: [[['dnf', 'install', '-y', packages.dnf]]] },
    { manager: 'apk', needsRoot: true, attempts: [[['apk', 'add', '--no-cache', packages.apk]]] },
    { manager: 'brew', needsRoot: false, attempts: [[['brew', 'install', packages.brew]]] },
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
    if (!wanted.suites.some((suite) => suites.includes(suite)) || wanted.names.some(onPath)) continue;
    await ensureProgram(wanted, terminal, options);
  }
}

async function ensureProgram(
  wanted: TestProgram,
  terminal: Terminal,
  options: { yes: boolean },
): Promise<void> {
  const name = wanted.names[0] ?? '';
  const { plan, isRoot, mayRun } = planFor(installPlansOf(wanted));
  const byHand = plan === undefined ? `Install ${name}` : `Type: ${typedBy(plan, isRoot)}`;
  const left = (why: string) =>
    terminal.note(`${why} The tests ${wanted.tests} will be skipped. ${byHand} to run them.`);
  if (plan === undefined || !mayRun) return left(`${name} is not installed.`);

  terminal.note(`${name} is not installed. Some tests want it; nothing else does.`);
  const command = typedBy(plan, isRoot);
  if (terminal.interactive && !options.yes && !(await terminal.confirm(`Install it with "${command}"?`))) {
    return left('Nothing was installed.');
  }
  for (const attempt of plan.attempts) {
    const failure = await installPackage(attempt, terminal, []);
    if (wanted.names.some(onPath)) return;
    if (failure !== null) terminal.note(`  ${failure}`);
  }
  return left(`${plan.manager} brought no ${name}.`);
}
