import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type InstancePaths, launcherName, repositoryRoot } from './folders.ts';
import { lastLines } from './log-tail.ts';
import { CommandProblem, messageOf } from './problem.ts';
import { nodeEnvironment } from './process-environment.ts';
import { FolderInUse, type InstancePlan, StartFailed, startInstance } from './supervisor/instance.ts';
import { isAlive } from './supervisor/process-identity.ts';
import { nameOf } from './supervisor/process-name.ts';
import { type RunFile, readRunFile } from './supervisor/run-file.ts';
import { allGone } from './supervisor/stop-orphans.ts';
import type { Terminal } from './terminal.ts';

const stopSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * The supervisor in this process: returns when everything has stopped. `afterReady` is run once the
 * services are; Ctrl-C reaches it through its signal.
 */
export async function runInForeground(
  plan: InstancePlan,
  paths: InstancePaths,
  terminal: Terminal,
  afterReady: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const step = terminal.step('Starting the services');
  const missing = new Set(plan.groups.flat().map(nameOf));
  const leaving = new AbortController();
  let isUp = false;

  const instance = await startInstance(plan, ({ plan: member }, event) => {
    if (isUp && !leaving.signal.aborted) terminal.note(`  ${nameOf(member)} ${event}`);
    if (event === 'ready') missing.delete(nameOf(member));
    step.update(`waiting for ${[...missing].join(', ')}`);
  }).catch((error: unknown) => {
    step.fail();
    throw asProblem(error, paths);
  });

  const stop = () => {
    if (!leaving.signal.aborted)
      terminal.note('\nStopping; what is running may finish (Ctrl-C again ends it at once) …');
    if (!isUp) step.fail();
    leaving.abort();
    void instance.stop();
  };
  for (const name of stopSignals) process.on(name, stop);

  try {
    await instance.onceReady;
    isUp = true;
    if (!leaving.signal.aborted) {
      step.done('All services are ready');
      await afterReady(leaving.signal);
      terminal.note('Ctrl-C stops it.');
    }
  } catch (error) {
    if (!leaving.signal.aborted) {
      if (!isUp) step.fail();
      void instance.stop();
      await instance.onceStopped;
      throw asProblem(error, paths);
    }
  }
  await instance.onceStopped;
  terminal.note('Stopped.');
}

/**
 * The supervisor as a process of its own, in a session of its own; returns when the services are ready.
 * Not null: another command was quicker, and this is what it started.
 */
export async function startDetached(
  plan: InstancePlan,
  paths: InstancePaths,
  terminal: Terminal,
): Promise<RunFile | null> {
  const supervisorLog = join(paths.logs, 'supervisor.log');
  const log = openSync(supervisorLog, 'a');
  const compiled = import.meta.filename.endsWith('.js');
  const supervisor = spawn(
    process.execPath,
    [
      '--conditions=vortex-source',
      '--disable-warning=ExperimentalWarning',
      '--max-semi-space-size=1',
      join(import.meta.dirname, 'supervisor', compiled ? 'supervisor-main.js' : 'supervisor-main.ts'),
      // Unread; it tells the processes of two instances apart in a process list.
      paths.data,
    ],
    // What each process is to get stands in the plan, which goes down the pipe.
    {
      cwd: repositoryRoot,
      env: nodeEnvironment(process.env),
      detached: true,
      stdio: ['pipe', log, log],
    },
  );
  closeSync(log);
  let exitCode: number | null = null;
  const ended = new Promise<void>((resolve) => {
    supervisor.once('exit', (code) => {
      exitCode = code ?? -1;
      resolve();
    });
  });
  supervisor.stdin?.end(JSON.stringify(plan));
  supervisor.unref();

  const stop = () => {
    terminal.note('\nStopping what was started …');
    supervisor.kill('SIGTERM');
    void ended.then(() => process.exit(130));
  };
  for (const name of stopSignals) process.on(name, stop);
  try {
    await waitUntilReady(paths, terminal, {
      pid: supervisor.pid ?? 0,
      exitCode: () => exitCode,
    });
    if (exitCode !== folderInUse) return null;
    await waitUntilReady(paths, terminal);
    return readRunFile(paths.runFile);
  } catch (error) {
    if (error instanceof CommandProblem) throw error;
    throw new CommandProblem(`The supervisor ended: ${messageOf(error)}`, {
      ways: lastLines(supervisorLog, 5),
    });
  } finally {
    for (const name of stopSignals) process.off(name, stop);
  }
}

/** What supervisor-main.ts exits with when another one was quicker. */
const folderInUse = 3;

/**
 * Follows the run file of a start, our own or another command's.
 * @throws CommandProblem with the last log lines of the service that failed
 */
export async function waitUntilReady(
  paths: InstancePaths,
  terminal: Terminal,
  ours?: { pid: number; exitCode: () => number | null },
): Promise<void> {
  const step = terminal.step('Starting the services');
  for (;;) {
    const run = readRunFile(paths.runFile);
    const itsTurn = run !== null && (ours === undefined || run.supervisor.pid === ours.pid);
    if (itsTurn && run.phase === 'ready') {
      step.done('All services are ready');
      return;
    }
    if (ours?.exitCode() === folderInUse) {
      step.done('Another start on this folder was quicker');
      return;
    }
    const hasEnded = ours === undefined ? run === null || !isAlive(run.supervisor) : ours.exitCode() !== null;
    if (hasEnded || (itsTurn && run.phase === 'failed')) {
      step.fail();
      // It stops the rest before it ends, and the lock on the folder goes with it.
      if (itsTurn) await allGone([run.supervisor], 30_000);
      if (itsTurn && run.failure !== null) throw startProblem(run.failure, run.failure_log, paths);
      throw new Error('it left no reason');
    }
    if (itsTurn) step.update(`waiting for ${unready(run)}`);
    await delay(100);
  }
}

function unready(run: RunFile): string {
  return run.processes
    .filter(({ state }) => state !== 'ready')
    .map((entry) => nameOf({ service: entry.service, workerName: entry.worker_name }))
    .join(', ');
}

function asProblem(error: unknown, paths: InstancePaths): unknown {
  if (error instanceof StartFailed) return startProblem(error.message, error.logLines, paths);
  if (error instanceof FolderInUse) {
    return new CommandProblem(`Another start is under way on the data folder ${paths.data}.`, {
      ways: [`See how it goes: ${launcherName()} status --data ${paths.data}`],
    });
  }
  return error;
}

function startProblem(failure: string, logLines: readonly string[], paths: InstancePaths): CommandProblem {
  return new CommandProblem(`${failure}. Everything was stopped again.`, {
    ways: [
      ...logLines.map((line) => `| ${line}`),
      `Logs: ${paths.logs}`,
      `What is wrong here: ${launcherName()} doctor --data ${paths.data}`,
    ],
  });
}
