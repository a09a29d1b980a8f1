import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { restartDelayMs } from './backoff.ts';
import { identityOf, type ProcessIdentity } from './process-identity.ts';
import { askReadiness, type ReadinessProbe } from './readiness.ts';
import { yieldProcessor } from './yield-processor.ts';

/** Everything that stays the same over the restarts of one process. Plain data: it is handed to the supervisor as JSON. */
export interface ProcessPlan {
  service: string;
  workerName: string | null;
  command: string;
  args: string[];
  env: Record<string, string>;
  cwd: string;
  /** Where others reach it; null when it has no address. */
  url: string | null;
  probe: ReadinessProbe;
  logFile: string;
  /** How long SIGTERM may take before SIGKILL. */
  stopBudgetMs: number;
  /** Added to the supervisor's own (0 to 19): who has more gets less of a busy processor. */
  niceness: number;
}

export type ProcessState = 'down' | 'starting' | 'ready' | 'waiting' | 'stopping';

export interface ProcessSnapshot {
  state: ProcessState;
  identity: ProcessIdentity | null;
  /** Of its own accord; those that were asked for do not count. */
  restarts: number;
  /** How its last run ended; null when none has. */
  lastEnd: string | null;
  /** Ends in a row without having been ready in between. */
  failures: number;
  /** Why it is not ready, or how it ended last. */
  reasons: string[];
}

/**
 * Keeps one process alive.
 *
 *   down ──start──► starting ──probe says ready──► ready
 *                    ▲   │ ends                      │ ends
 *                    │   ▼                           ▼
 *                    └─ waiting (0.2 s, doubling to 5 s; from 0.2 s again once it has been ready)
 *
 *   any ──stop──► stopping (SIGTERM, after the budget SIGKILL) ──► down
 *
 * Only the end of the process moves it out of `ready`. A process that hangs or is frozen keeps its place:
 * its lease in Redis runs out and its jobs go to others, but it may come back, and killing what an
 * operator stopped with SIGSTOP or a debugger helps nobody.
 * Only `become` writes the state, and every change is told to `onChange`.
 */
export interface SupervisedProcess {
  readonly plan: ProcessPlan;
  snapshot(): ProcessSnapshot;
  start(): void;
  /** Safe at any time, twice too. Resolves when the process is gone. */
  stop(): Promise<void>;
  /** No more patience: SIGKILL now. */
  kill(): void;
}

const probeEveryMs = 150;
const probeEveryLaterMs = 1000;
/** Most starts take about two seconds; one that takes longer waits for something and is asked less often. */
const eagerProbes = 60;

export function superviseProcess(
  plan: ProcessPlan,
  onChange: (process: SupervisedProcess, event: string) => void,
): SupervisedProcess {
  let state: ProcessState = 'down';
  let child: ChildProcess | null = null;
  let identity: ProcessIdentity | null = null;
  let restarts = 0;
  let failures = 0;
  let reasons: string[] = [];
  let lastEnd: string | null = null;
  let restartTimer: NodeJS.Timeout | undefined;
  let ended: Promise<void> = Promise.resolve();
  let isLate = false;

  const self: SupervisedProcess = {
    plan,
    snapshot: () => ({ state, identity, restarts, failures, reasons, lastEnd }),
    start() {
      if (state === 'down') launch();
    },
    async stop() {
      clearTimeout(restartTimer);
      const running = child;
      if (running === null) {
        if (state !== 'down') become('down', 'stopped');
        return;
      }
      if (state !== 'stopping') {
        become('stopping', 'SIGTERM sent');
        running.kill('SIGTERM');
        // One that was frozen takes no SIGTERM before it runs again.
        running.kill('SIGCONT');
      }
      isLate = false;
      const killer = setTimeout(() => {
        isLate = true;
        running.kill('SIGKILL');
      }, plan.stopBudgetMs);
      await ended;
      clearTimeout(killer);
    },
    kill: () => void child?.kill('SIGKILL'),
  };
  return self;

  function become(next: ProcessState, event: string): void {
    state = next;
    onChange(self, event);
  }

  function launch(): void {
    mkdirSync(dirname(plan.logFile), { recursive: true });
    const log = openSync(plan.logFile, 'a');
    // A group of its own: Ctrl-C in the terminal reaches the supervisor alone, which then stops in order.
    const started = spawn(plan.command, plan.args, {
      cwd: plan.cwd,
      env: plan.env,
      stdio: ['ignore', log, log],
      detached: true,
    });
    closeSync(log);
    if (started.pid !== undefined) void yieldProcessor(started.pid, plan.niceness);
    child = started;
    identity = started.pid === undefined ? null : identityOf(started.pid);
    ended = new Promise((resolve) => {
      let told = false;
      const end = (how: string) => {
        if (told) return;
        told = true;
        whenEnded(how);
        resolve();
      };
      started.once('error', (error) => end(`could not be started: ${error.message}`));
      started.once('exit', (code, killedBy) =>
        end(killedBy === null ? `ended with exit code ${code}` : `was ended by ${killedBy}`),
      );
    });
    reasons = ['is starting'];
    become('starting', `started as pid ${started.pid ?? 'none'}`);
    if (started.pid !== undefined) void watchReadiness(started);
  }

  async function watchReadiness(watched: ChildProcess): Promise<void> {
    for (let asked = 0; child === watched && state === 'starting'; asked += 1) {
      const result = await askReadiness(plan.probe);
      if (child !== watched || state !== 'starting') return;
      if (result.ready) {
        failures = 0;
        reasons = [];
        become('ready', 'ready');
        return;
      }
      reasons = result.reasons;
      await delay(asked < eagerProbes ? probeEveryMs : probeEveryLaterMs);
    }
  }

  function whenEnded(how: string): void {
    child = null;
    identity = null;
    if (state === 'stopping') {
      lastEnd = isLate ? `did not end within ${plan.stopBudgetMs} ms of SIGTERM and was killed` : how;
      reasons = [lastEnd];
      become('down', lastEnd);
      return;
    }
    lastEnd = how;
    const wait = restartDelayMs(failures);
    failures += 1;
    reasons = [how];
    become('waiting', `${how}; starts again in ${wait} ms`);
    restartTimer = setTimeout(() => {
      restarts += 1;
      launch();
    }, wait);
  }
}
