import { nameOf } from './process-name.ts';
import type { SupervisedProcess } from './supervised-process.ts';

/** How a restart goes, one event at a time; the lines that the control socket sends. */
export type RestartEvent =
  /** Another restart is under way; this one begins when that has ended. */
  | { event: 'waiting' }
  | ({ event: 'stopping' } & Named)
  /** It has ended (`ended` says how) and is started anew. */
  | ({ event: 'starting'; ended: string; drain_ms: number } & Named)
  | ({ event: 'ready' } & RestartedProcess)
  /** The restart ends here; what came before it has been restarted, what comes after it has not been touched. */
  | {
      event: 'failed';
      service: string | null;
      worker_name: string | null;
      reason: string;
      log_file: string | null;
    }
  | { event: 'done' };

interface Named {
  service: string;
  worker_name: string | null;
}

export interface RestartedProcess extends Named {
  /** How the process before it ended. */
  ended: string;
  pid: number | null;
  drain_ms: number;
  /** From its start until it was ready: it listens and consumes. */
  start_ms: number;
}

/** What is restarted when nothing is named: what works on jobs. Not the stores, a stand-in for a model server, or who watches. */
const notByDefault: readonly string[] = [
  ...['redis', 'cache', 'mock-llm'],
  ...['prometheus', 'alertmanager', 'redis-exporter'],
];

/** Processes by the names `status` shows, each once, in their order; the first name that fits none. */
export function choose(
  all: readonly SupervisedProcess[],
  names: readonly string[],
): { chosen: SupervisedProcess[] } | { unknown: string; known: string[] } {
  if (names.length === 0) {
    return { chosen: all.filter(({ plan }) => !notByDefault.includes(plan.service)) };
  }
  const isNamed = ({ plan }: SupervisedProcess, name: string) =>
    plan.service === name || plan.workerName === name || nameOf(plan) === name;
  const unknown = names.find((name) => !all.some((member) => isNamed(member, name)));
  if (unknown === undefined) {
    return { chosen: all.filter((member) => names.some((name) => isNamed(member, name))) };
  }
  const known = all.flatMap(({ plan }) => [plan.service, plan.workerName]).filter((name) => name !== null);
  return { unknown, known: [...new Set(known)] };
}

/** Starts in a row that end before a process was ready, after which its restart counts as failed. */
const patience = 3;

export interface RestartHost {
  /** Calls back at every change of any process; returns what ends that. */
  onChange(look: () => void): () => void;
  /** The whole instance is going down: nothing may be started any more. */
  isStopping(): boolean;
  readyWithinMs: number;
}

/**
 * One process after the other: SIGTERM, its drain, its end, a new start, ready; then the next. A process
 * that does not come back ends the restart, with the others as they were, and stays in the care of the
 * supervisor. `signal` ends it between two processes: who asked has left, and nothing is left half done.
 */
export async function restartInTurn(
  members: readonly SupervisedProcess[],
  host: RestartHost,
  tell: (event: RestartEvent) => void,
  signal: AbortSignal,
): Promise<void> {
  for (const member of members) {
    if (signal.aborted) return;
    const { service, workerName: worker_name, logFile: log_file } = member.plan;
    const named = { service, worker_name };
    const fail = (reason: string) => tell({ event: 'failed', ...named, reason, log_file });
    if (host.isStopping()) return fail('the instance is being stopped');

    tell({ event: 'stopping', ...named });
    const askedAt = performance.now();
    await member.stop();
    const endedAt = performance.now();
    const drain_ms = Math.round(endedAt - askedAt);
    const ended = member.snapshot().lastEnd ?? 'did not run';
    if (host.isStopping()) return fail('the instance is being stopped');

    tell({ event: 'starting', ...named, ended, drain_ms });
    const failuresBefore = member.snapshot().failures;
    member.start();
    const reason = await whyNotReady(member, host, failuresBefore);
    if (reason !== null) return fail(reason);
    const { identity } = member.snapshot();
    const start_ms = Math.round(performance.now() - endedAt);
    tell({ event: 'ready', ...named, ended, pid: identity?.pid ?? null, drain_ms, start_ms });
  }
  tell({ event: 'done' });
}

/** Resolves with null once the process is ready, else with the reason why it is not waited for any longer. */
function whyNotReady(
  member: SupervisedProcess,
  host: RestartHost,
  failuresBefore: number,
): Promise<string | null> {
  return new Promise((resolve) => {
    const settle = (reason: string | null) => {
      clearTimeout(timer);
      leave();
      resolve(reason);
    };
    const look = () => {
      const { state, failures, reasons } = member.snapshot();
      if (state === 'ready') settle(null);
      else if (host.isStopping()) settle('the instance is being stopped');
      else if (failures - failuresBefore >= patience) {
        settle(`does not start: it ${reasons.join(', ')}, ${patience} times in a row`);
      }
    };
    const timer = setTimeout(
      () =>
        settle(
          `was not ready within ${host.readyWithinMs / 1000} s (${member.snapshot().reasons.join(', ')})`,
        ),
      host.readyWithinMs,
    );
    const leave = host.onChange(look);
    look();
  });
}
