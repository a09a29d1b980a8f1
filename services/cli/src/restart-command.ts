import { createConnection } from 'node:net';
import { dataFolder, dataOption, instancePaths, launcherName } from './folders.ts';
import { notRunning, runningInstance } from './instance-address.ts';
import { lastLines } from './log-tail.ts';
import { CommandProblem, messageOf } from './problem.ts';
import { nameOf } from './supervisor/process-name.ts';
import type { RestartEvent, RestartedProcess } from './supervisor/restart.ts';
import type { Step, Terminal } from './terminal.ts';

/** `restart --json`. */
interface RestartReport {
  restarted: RestartedProcess[];
  failed: {
    service: string | null;
    worker_name: string | null;
    reason: string;
    log_file: string | null;
  } | null;
}

/**
 * Asks the supervisor to restart processes one after the other, and shows how it goes. Ctrl-C leaves the
 * one that is under way to the supervisor, which brings it back, and the rest as they are.
 * @returns false when one did not come back; the reason has been shown
 * @throws CommandProblem when there is nobody to ask
 */
export async function restart(
  services: readonly string[],
  options: { data?: string; json: boolean },
  terminal: Terminal,
): Promise<boolean> {
  const data = dataFolder(options.data);
  const run = runningInstance(data);
  if (run === null) throw notRunning(data);
  if (run.control_socket === null || run.control_socket === undefined) {
    throw new CommandProblem('The supervisor of this instance takes no requests.', {
      ways: [
        `Its log says why: ${instancePaths(data).logs}/supervisor.log`,
        `Or: ${launcherName()} down${dataOption(data)} && ${launcherName()} up --detach${dataOption(data)}`,
      ],
    });
  }
  const report: RestartReport = { restarted: [], failed: null };
  let step: Step | undefined;
  const nameOfEvent = (event: { service: string | null; worker_name: string | null }) =>
    event.service === null ? '' : nameOf({ service: event.service, workerName: event.worker_name });

  for await (const event of ask(run.control_socket, services)) {
    switch (event.event) {
      case 'waiting':
        terminal.note('Another restart is under way; this one begins after it.');
        break;
      case 'stopping':
        step = terminal.step(`Restarting ${nameOfEvent(event)}`);
        step.update('what it works on may finish');
        break;
      case 'starting':
        step?.update(`${event.ended}; starting`);
        break;
      case 'ready': {
        const { event: _, ...restarted } = event;
        report.restarted.push(restarted);
        step?.done(
          `${nameOfEvent(event)}: ${event.ended} after ${seconds(event.drain_ms)}, ` +
            `ready as pid ${event.pid} ${seconds(event.start_ms)} later`,
        );
        break;
      }
      case 'failed': {
        const { event: _, ...failed } = event;
        report.failed = failed;
        step?.fail();
        break;
      }
      case 'done':
        break;
      default:
        event satisfies never;
    }
  }
  if (options.json) console.log(JSON.stringify(report, null, 2));
  if (report.failed === null) {
    if (!options.json) terminal.note(`Restarted ${report.restarted.length} processes, one after the other.`);
    return true;
  }
  if (options.json) return false;
  const { reason, log_file } = report.failed;
  const name = nameOfEvent(report.failed);
  throw new CommandProblem(
    `${name === '' ? 'Nothing was restarted' : `${name} did not come back`}: ${reason}.`,
    {
      ways:
        log_file === null ? [] : [...lastLines(log_file, 10).map((line) => `| ${line}`), `Log: ${log_file}`],
    },
  );
}

/** @throws CommandProblem when the supervisor does not answer, or breaks off */
async function* ask(socketPath: string, services: readonly string[]): AsyncGenerator<RestartEvent> {
  const socket = createConnection(socketPath).setEncoding('utf8');
  let reason = 'it closed the connection';
  try {
    socket.write(`${JSON.stringify({ command: 'restart', services })}\n`);
    let text = '';
    for await (const piece of socket) {
      text += piece;
      const lines = text.split('\n');
      text = lines.pop() ?? '';
      for (const line of lines) {
        const event = JSON.parse(line) as RestartEvent;
        yield event;
        if (event.event === 'done' || event.event === 'failed') return;
      }
    }
  } catch (error) {
    reason = messageOf(error);
  } finally {
    socket.destroy();
  }
  throw new CommandProblem(`The supervisor broke off: ${reason}.`, {
    ways: [`How things are: ${launcherName()} status`],
  });
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
