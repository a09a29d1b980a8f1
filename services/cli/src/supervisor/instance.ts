// One piece: start, restart and stop are the writers of one set of processes.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { lastLines } from '../log-tail.ts';
import { controlSocketPath, failedBecause, openControlSocket } from './control-socket.ts';
import { lockFolder } from './folder-lock.ts';
import { identityOf, type ProcessIdentity } from './process-identity.ts';
import { nameOf } from './process-name.ts';
import { choose, type RestartEvent, restartInTurn } from './restart.ts';
import { rotateLog } from './rotate-log.ts';
import { type InstancePhase, type RunFile, readRunFile, writeRunFile } from './run-file.ts';
import { stopOrder, stopOrphans } from './stop-orphans.ts';
import { type ProcessPlan, type SupervisedProcess, superviseProcess } from './supervised-process.ts';

/** All a supervisor needs to know; plain data, so that it can be handed to a process of its own. */
export interface InstancePlan {
  runFile: string;
  lockFile: string;
  /** Where the next start of this folder looks for the ports of this one. */
  portsFile: string;
  ports: Readonly<Record<string, number>>;
  host: string;
  port: number;
  gatewayUrl: string;
  /** Null: HTTP. */
  gatewayCertFile: string | null;
  /** Null: administrators come by the same port. */
  gatewayAdminUrl: string | null;
  /** With the operator's user and password, where the Redis is the instance's own. */
  redisUrl: string;
  cacheUrl: string | null;
  /** Of the queue, for the metrics exporter. */
  exporterUrl: string;
  llm: string;
  /** A group starts when the one before it is ready. */
  groups: PlannedProcess[][];
  readyWithinMs: number;
  /** Written when the folder is ours and before anything starts: what processes read at their start. */
  files?: PlannedFile[];
}

export interface PlannedFile {
  path: string;
  content: string;
  /** For the owner alone. */
  isSecret?: boolean;
}

export type PlannedProcess = ProcessPlan & {
  /** Model servers this process talks to (a generator) or is (mock-llm), for `status`. */
  upstreamUrls: string[];
};

export class FolderInUse extends Error {
  constructor() {
    super('another supervisor runs on this data folder');
    this.name = 'FolderInUse';
  }
}

/** A service that never became ready. `logLines` is the end of its log. */
export class StartFailed extends Error {
  readonly logFile: string;
  readonly logLines: readonly string[];

  constructor(message: string, logFile: string) {
    super(message);
    this.name = 'StartFailed';
    this.logFile = logFile;
    this.logLines = lastLines(logFile, 15);
  }
}

export interface Instance {
  /**
   * Resolves when every process is ready for the first time.
   * @throws StartFailed; everything has been stopped by then
   */
  onceReady: Promise<void>;
  /** Resolves when everything has stopped, whoever asked for it. */
  onceStopped: Promise<void>;
  /** Drains and stops everything in order. Asked a second time, it kills. */
  stop(): Promise<void>;
  /** Processes by their names (none: every worker and gateway), one after the other; the end is `done` or `failed`. */
  restart(names: readonly string[], tell: (event: RestartEvent) => void, signal: AbortSignal): Promise<void>;
  processes(): readonly SupervisedProcess[];
}

/** Ends without ever having been ready after which a first start is given up. */
const patience = 3;
const rotateEveryMs = 10_000;

/**
 * Starts everything and keeps it alive: starting ──► ready ──► stopping ──► stopped, or failed.
 * Once ready, an instance stays so for the supervisor even while a service restarts; `status` asks the
 * services themselves.
 * @throws FolderInUse
 */
export async function startInstance(
  plan: InstancePlan,
  onEvent: (process: SupervisedProcess, event: string) => void = () => {},
): Promise<Instance> {
  const lock = lockFolder(plan.lockFile);
  if (lock === null) throw new FolderInUse();
  const before = readRunFile(plan.runFile);
  if (before !== null) await stopOrphans(before.processes);
  writeFileSync(plan.portsFile, `${JSON.stringify(plan.ports, null, 2)}\n`);
  for (const { path, content, isSecret = false } of plan.files ?? []) {
    mkdirSync(dirname(path), { recursive: true });
    // A mode is for a new file only.
    if (isSecret) rmSync(path, { force: true });
    writeFileSync(path, content, { mode: isSecret ? 0o600 : 0o666 });
  }

  const self: ProcessIdentity = identityOf(process.pid) ?? { pid: process.pid, started: 'unknown' };
  const startedAt = new Date().toISOString();
  let phase: InstancePhase = 'starting';
  let failure: StartFailed | null = null;
  let failStart: (error: StartFailed) => void = () => {};
  const startFailure = new Promise<never>((_, reject) => {
    failStart = reject;
  });
  startFailure.catch(() => {});

  const waiters = new Set<() => void>();
  const restartHost = {
    onChange(look: () => void) {
      waiters.add(look);
      return () => waiters.delete(look);
    },
    isStopping: () => stopping !== null,
    readyWithinMs: plan.readyWithinMs,
  };
  const groups = plan.groups.map((group) => group.map((entry) => superviseProcess(entry, changed)));
  const all = groups.flat();
  const logFiles = [...new Set(all.map(({ plan: { logFile } }) => logFile))];
  const rotation = setInterval(() => logFiles.forEach((file) => void rotateLog(file)), rotateEveryMs);
  let stopping: Promise<void> | null = null;
  let stopped: () => void = () => {};
  const onceStopped = new Promise<void>((resolve) => {
    stopped = resolve;
  });

  const controlSocket = controlSocketPath(dirname(plan.runFile));
  let restarting: Promise<void> = Promise.resolve();
  let restarts = 0;
  const control = await openControlSocket(controlSocket, restart).catch((error: unknown) => {
    console.error(`cannot be asked to restart services: ${String(error)}`);
    return null;
  });

  record();
  const onceReady = bringUp();
  onceReady.catch(() => {});
  return { onceReady, onceStopped, stop, restart, processes: () => all };

  async function bringUp(): Promise<void> {
    const timer = setTimeout(
      () => giveUp(`were not ready within ${plan.readyWithinMs / 1000} s`),
      plan.readyWithinMs,
    );
    try {
      for (const group of groups) {
        if (stopping !== null) return;
        for (const member of group) member.start();
        await Promise.race([Promise.all(group.map(onceProcessReady)), startFailure, onceStopped]);
      }
      if (stopping !== null) return;
      phase = 'ready';
      record();
    } catch (error) {
      failure = error instanceof StartFailed ? error : null;
      await stop();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  function onceProcessReady(member: SupervisedProcess): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (member.snapshot().state !== 'ready') return;
        waiters.delete(look);
        resolve();
      };
      waiters.add(look);
      look();
    });
  }

  function giveUp(what: string): void {
    const late = all.filter((member) => member.snapshot().state !== 'ready');
    const first = late[0];
    if (first === undefined) return;
    const names = late
      .map((member) => `${nameOf(member.plan)} (${member.snapshot().reasons.join(', ')})`)
      .join(', ');
    failStart(new StartFailed(`${names} ${what}`, first.plan.logFile));
  }

  function changed(member: SupervisedProcess, event: string): void {
    onEvent(member, event);
    record();
    for (const waiter of waiters) waiter();
    const { failures, reasons } = member.snapshot();
    if (phase === 'starting' && failures >= patience) {
      failStart(
        new StartFailed(
          `${nameOf(member.plan)} does not start: it ${reasons.join(', ')}, ${failures} times in a row`,
          member.plan.logFile,
        ),
      );
    }
  }

  /** One at a time: who asks while another restart is under way waits for its end. */
  async function restart(
    names: readonly string[],
    tell: (event: RestartEvent) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const choice = choose(all, names);
    if ('unknown' in choice) {
      tell(failedBecause(`nothing here is called ${choice.unknown}; known are ${choice.known.join(', ')}`));
      return;
    }
    if (phase !== 'ready') {
      tell(failedBecause(`the instance is ${phase}`));
      return;
    }
    if (restarts > 0) tell({ event: 'waiting' });
    restarts += 1;
    const turn = restarting.then(() => restartInTurn(choice.chosen, restartHost, tell, signal));
    restarting = turn
      .catch(() => undefined)
      .finally(() => {
        restarts -= 1;
      });
    await turn;
  }

  async function stop(): Promise<void> {
    if (stopping !== null) {
      for (const member of all) member.kill();
      return stopping;
    }
    phase = 'stopping';
    stopping = stopAll();
    return stopping;
  }

  async function stopAll(): Promise<void> {
    record();
    const known = stopOrder.flat();
    const others = all.filter((member) => !known.includes(member.plan.service));
    await Promise.all(others.map((member) => member.stop()));
    for (const services of stopOrder) {
      const members = all.filter((member) => services.includes(member.plan.service));
      await Promise.all(members.map((member) => member.stop()));
    }
    control?.close();
    clearInterval(rotation);
    phase = failure === null ? 'stopped' : 'failed';
    record();
    lock?.release();
    stopped();
  }

  function record(): void {
    const content: RunFile = {
      version: 1,
      phase,
      failure: failure?.message ?? null,
      failure_log: failure === null ? [] : [...failure.logLines],
      supervisor: self,
      control_socket: control === null ? null : controlSocket,
      started_at: startedAt,
      host: plan.host,
      port: plan.port,
      gateway_url: plan.gatewayUrl,
      gateway_cert_file: plan.gatewayCertFile,
      gateway_admin_url: plan.gatewayAdminUrl,
      redis_url: plan.redisUrl,
      cache_url: plan.cacheUrl,
      llm: plan.llm,
      processes: plan.groups.flat().map((entry, index) => {
        const snapshot = all[index]?.snapshot();
        return {
          service: entry.service,
          worker_name: entry.workerName,
          url: entry.url,
          upstream_urls: entry.upstreamUrls,
          probe: entry.probe,
          identity: snapshot?.identity ?? null,
          state: snapshot?.state ?? 'down',
          restarts: snapshot?.restarts ?? 0,
          reasons: snapshot?.reasons ?? [],
          log_file: entry.logFile,
        };
      }),
    };
    try {
      writeRunFile(plan.runFile, content);
    } catch (error) {
      // A full disk must not end the supervisor; the services are what matters.
      console.error(`cannot write ${plan.runFile}: ${String(error)}`);
    }
  }
}
