import { dataFolder, instancePaths } from './folders.ts';
import { CommandProblem } from './problem.ts';
import { isAlive, type ProcessIdentity, signal } from './supervisor/process-identity.ts';
import { readRunFile } from './supervisor/run-file.ts';
import { allGone, stopOrphans } from './supervisor/stop-orphans.ts';
import type { Terminal } from './terminal.ts';

/** Five steps with a budget each (see stop-orphans.ts), and some patience for a machine under load. */
const stopWithinMs = 120_000;

/** Stops the instance of a data folder, and what an earlier supervisor left behind. Nothing there is fine. */
export async function down(options: { data?: string }, terminal: Terminal): Promise<void> {
  const data = dataFolder(options.data);
  const { runFile } = instancePaths(data);
  const run = readRunFile(runFile);
  if (run === null) {
    terminal.note(`Nothing runs on the data folder ${data}.`);
    return;
  }
  const supervised = isAlive(run.supervisor);
  const step = terminal.step(`Stopping the instance on ${data}`);
  if (supervised) {
    signal(run.supervisor, 'SIGTERM');
    const watch = setInterval(() => {
      const left = (readRunFile(runFile)?.processes ?? []).filter(({ identity }) => identity !== null);
      step.update(`${left.length} processes left`);
    }, 500);
    const gone = await allGone([run.supervisor], stopWithinMs);
    clearInterval(watch);
    if (!gone) signal(run.supervisor, 'SIGKILL');
  }
  // The supervisor was killed, then or now: what it had started is still there.
  const left = await stopOrphans(readRunFile(runFile)?.processes ?? run.processes);
  const survivors: ProcessIdentity[] = run.processes
    .map(({ identity }) => identity)
    .filter((identity) => identity !== null)
    .filter(isAlive);
  if (survivors.length > 0) {
    step.fail();
    throw new CommandProblem(`Could not end ${survivors.map(({ pid }) => `pid ${pid}`).join(', ')}.`, {
      ways: ['They may belong to another user: stop them as the user who started the instance'],
    });
  }
  if (!supervised && left === 0) step.done(`Nothing runs on the data folder ${data}`);
  else step.done(left > 0 ? `Stopped, and ended ${left} processes without a supervisor` : 'Stopped');
}
