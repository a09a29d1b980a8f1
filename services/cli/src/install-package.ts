import { spawn } from 'node:child_process';
import { accessSync, constants, existsSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Terminal } from './terminal.ts';

export interface InstallPlan {
  manager: string;
  /** Run in this order; the first package whose commands all succeed and bring what is wanted wins. */
  attempts: string[][][];
  needsRoot: boolean;
}

/** Never by sudo: the plan of the first package manager here, and whether this user may run it. */
export function planFor(plans: readonly InstallPlan[]): {
  plan: InstallPlan | undefined;
  isRoot: boolean;
  mayRun: boolean;
} {
  const plan = plans.find(({ manager }) => onPath(manager));
  const isRoot = process.getuid?.() === 0;
  return { plan, isRoot, mayRun: plan !== undefined && (!plan.needsRoot || isRoot) };
}

/** What to type, where it is to be typed by hand. */
export function typedBy(plan: InstallPlan, isRoot: boolean): string {
  const commands = plan.attempts[0] ?? [];
  return commands
    .map((words) => (isRoot || !plan.needsRoot ? words : ['sudo', ...words]).join(' '))
    .join(' && ');
}

/**
 * Runs the commands one by one, each a step on the terminal.
 * @param units the services the package would start, now and at every boot
 * @returns what went wrong, or null
 */
export async function installPackage(
  commands: readonly string[][],
  terminal: Terminal,
  units: readonly string[],
): Promise<string | null> {
  const undo = forbidServiceStart(units);
  try {
    for (const words of commands) {
      const step = terminal.step(words.join(' '));
      const failure = await run(words, (line) => step.update(line));
      if (failure === null) {
        step.done();
        continue;
      }
      step.fail();
      return failure;
    }
    return null;
  } finally {
    await undo();
  }
}

/**
 * Debian's packages start their server and again at every boot; nobody asked for one. Its policy file is the
 * documented way to say no during an installation; the unit is disabled afterwards.
 */
function forbidServiceStart(units: readonly string[]): () => Promise<void> {
  const policy = '/usr/sbin/policy-rc.d';
  const ours = process.getuid?.() === 0 && existsSync('/usr/sbin') && onPath('dpkg') && !existsSync(policy);
  if (ours) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  return async () => {
    if (!ours) return;
    rmSync(policy, { force: true });
    if (!onPath('systemctl')) return;
    for (const unit of units) await run(['systemctl', 'disable', unit], () => {});
  };
}

function run(words: readonly string[], onLine: (line: string) => void): Promise<string | null> {
  const [command = '', ...args] = words;
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    });
    let last = '';
    const take = (piece: string) => {
      const line = piece.trim().split('\n').at(-1)?.trim() ?? '';
      if (line === '') return;
      last = line;
      onLine(line);
    };
    child.stdout.setEncoding('utf8').on('data', take);
    child.stderr.setEncoding('utf8').on('data', take);
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code) =>
      resolve(code === 0 ? null : `${words.join(' ')}: ${last || `exit code ${code}`}`),
    );
  });
}

export function onPath(name: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
