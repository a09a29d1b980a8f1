import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSubmitter, type ReplicaCandidate, type Submitter } from '@vortex/queue';
import type { PrivateRedis } from '@vortex/testkit/private-redis';
import { Redis } from 'ioredis';
import { type FaultProxy, openFaultProxy } from './fault-proxy.ts';
import { type Kill, type LedgerEntry, readLedger, trueNowMs } from './ledger.ts';
import { type RedisWithUsers, startRedisWithUsers } from './redis-with-users.ts';
import { within } from './within.ts';
import { type CompletionWitness, watchCompletions } from './witness.ts';

/**
 * The light chain: the three query stages as processes of their own, on the real runtime and the real queue with
 * their real leases (10 s, beaten every 3 s), and a submitter as the gateway has one. Only the thinking is left
 * out, so that thousands of jobs can pass while things go wrong. Redis is private, with an append-only file; the
 * workers and the submitter each reach it through a fault proxy.
 *
 * A worker that ends is started again at once, as the supervisor would, unless it was told to stay away.
 */
export type ChainStage = 'encode' | 'retrieve' | 'generate';
export const chainStages: readonly ChainStage[] = ['encode', 'retrieve', 'generate'];

/** Given to a worker process as JSON. */
export interface ChainStageOptions {
  stage: ChainStage;
  workerName: string;
  redisUrl: string;
  ledger: string;
  slots: number;
  replicaUrl: string | null;
  stuckMs?: number;
  /** Writes members into envelopes that today's readers do not know. */
  writesNews?: boolean;
}

export interface ChainWorker {
  readonly stage: ChainStage;
  readonly name: string;
  pid(): number;
  isReady(): boolean;
  /** SIGKILL: noted, and answered with a new process. */
  kill(): Promise<void>;
  freeze(): void;
  thaw(): void;
  /** SIGTERM, and the wait for its end: the exit code. A new process follows. */
  restart(): Promise<number | null>;
}

export interface Chain {
  readonly redis: PrivateRedis;
  readonly users: RedisWithUsers;
  /** Straight to Redis, past the proxies: sets the faults and checks the outcome. */
  readonly direct: Redis;
  readonly workerWire: FaultProxy;
  readonly gatewayWire: FaultProxy;
  readonly submitter: Submitter;
  readonly candidates: ReplicaCandidate[];
  readonly witness: CompletionWitness;
  workers(stage?: ChainStage): ChainWorker[];
  kills(): Kill[];
  /** What ran of the present page. */
  ledger(): LedgerEntry[];
  /** The next scenario begins: kills and what the witness saw are forgotten. Its jobs' ids begin with what is returned. */
  newPage(): string;
  /** Replaces the workers of a stage by ones of another make; without, by plain ones. */
  remake(stage: ChainStage, make?: WorkerMake): Promise<void>;
  /** No worker runs, and none is started, until `comeBack`. */
  goAway(): Promise<void>;
  comeBack(): void;
  onceReady(): Promise<void>;
  stop(): Promise<void>;
}

/** How a worker differs from a plain one. */
export interface WorkerMake {
  stuckMs?: number;
  /** Of the second worker of the stage alone: two versions side by side. */
  secondWritesNews?: boolean;
  /** The second worker's wall clock is off by so much. */
  secondClockShiftMs?: number;
}

const userOf = { encode: 'encoder', retrieve: 'retriever', generate: 'generator' } as const;
const workersPerStage = 2;
const slotsPerWorker = 4;

export async function openChain(options: { redisBinary?: string }): Promise<Chain> {
  const users = await startRedisWithUsers({
    ...(options.redisBinary !== undefined && { serverPath: options.redisBinary }),
    args: ['--appendonly', 'yes', '--appendfsync', 'everysec'],
  });
  const { redis } = users;
  const folder = mkdtempSync(join(tmpdir(), 'vortex-chaos-'));
  const [workerWire, gatewayWire] = await Promise.all([
    openFaultProxy(redis.port),
    openFaultProxy(redis.port),
  ]);
  const direct = new Redis(redis.url, { maxRetriesPerRequest: null });
  direct.on('error', () => undefined);
  const witness = await watchCompletions(redis.url);

  const submitter = createSubmitter({
    redis: { url: users.as('gateway', gatewayWire.url) },
    name: `chaos-${process.pid}`,
  });
  await submitter.start();

  let page = 0;
  let kills: Kill[] = [];
  const files: string[] = [];
  let away = false;
  let stopped = false;
  const makes = new Map<ChainStage, WorkerMake>();
  const workers = chainStages.flatMap((stage) =>
    Array.from({ length: workersPerStage }, (_, place) => openWorker(stage, place)),
  );

  function openWorker(
    stage: ChainStage,
    place: number,
  ): ChainWorker & { away(): Promise<void>; start(): void } {
    const name = `chaos_${stage}_${place + 1}`;
    let child: ChildProcess | undefined;
    let ready = false;
    let starts = 0;

    function start(): void {
      if (away || stopped) return;
      starts += 1;
      ready = false;
      const ledger = join(folder, `${page}-${name}-${starts}`);
      const { stuckMs, secondWritesNews, secondClockShiftMs } = makes.get(stage) ?? {};
      const workerOptions: ChainStageOptions = {
        stage,
        workerName: name,
        redisUrl: users.as(userOf[stage], workerWire.url),
        ledger,
        slots: slotsPerWorker,
        replicaUrl: stage === 'generate' ? replicaUrl(name) : null,
        ...(stuckMs !== undefined && { stuckMs }),
        ...(secondWritesNews && place === 1 && { writesNews: true }),
      };
      const shift = place === 1 ? secondClockShiftMs : undefined;
      const preload = shift === undefined ? [] : ['--import', fileBeside('date-shift').href];
      const started = fork(fileBeside('chain-stage'), [JSON.stringify(workerOptions)], {
        execArgv: ['--conditions=vortex-source', '--disable-warning=ExperimentalWarning', ...preload],
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
        env: { ...process.env, ...(shift !== undefined && { VORTEX_CHAOS_CLOCK_SHIFT_MS: String(shift) }) },
      });
      child = started;
      files.push(ledger);
      started.on('message', (message) => {
        if (message === 'ready' && child === started) ready = true;
      });
      started.on('error', () => undefined);
      started.on('exit', () => {
        if (child !== started) return;
        ready = false;
        start();
      });
    }

    async function end(signal: NodeJS.Signals): Promise<number | null> {
      const ending = child;
      if (ending === undefined || ending.exitCode !== null || ending.signalCode !== null) return null;
      const gone = once(ending, 'exit');
      ending.kill(signal);
      // A frozen process hears nothing but SIGKILL.
      if (signal !== 'SIGKILL') ending.kill('SIGCONT');
      await gone;
      return ending.exitCode;
    }

    start();
    return {
      stage,
      name,
      pid: () => child?.pid ?? 0,
      isReady: () => ready,
      async kill() {
        kills.push({ pid: child?.pid ?? 0, atMs: trueNowMs() });
        await end('SIGKILL');
      },
      freeze: () => void child?.kill('SIGSTOP'),
      thaw: () => void child?.kill('SIGCONT'),
      restart: () => end('SIGTERM'),
      async away() {
        kills.push({ pid: child?.pid ?? 0, atMs: trueNowMs() });
        await end('SIGKILL');
      },
      start,
    };
  }

  async function onceReady(): Promise<void> {
    await within(60_000, 'every worker is ready', () => workers.every((worker) => worker.isReady()));
    await within(30_000, 'the submitter is ready', () => submitter.isReady());
  }

  const candidates = Array.from({ length: workersPerStage }, (_, place) => {
    const workerName = `chaos_generate_${place + 1}`;
    return { url: replicaUrl(workerName), workerName, slots: slotsPerWorker };
  });

  return {
    redis,
    users,
    direct,
    workerWire,
    gatewayWire,
    submitter,
    candidates,
    witness,
    workers: (stage) => workers.filter((worker) => stage === undefined || worker.stage === stage),
    kills: () => kills,
    // A process that was killed at birth has left no file.
    ledger: () => readLedger(files.filter(existsSync)).filter(({ id }) => id.startsWith(`${page}.`)),
    newPage() {
      page += 1;
      kills = [];
      witness.forget();
      return `${page}.`;
    },
    async remake(stage, make) {
      if (make === undefined) makes.delete(stage);
      else makes.set(stage, make);
      for (const worker of workers.filter((one) => one.stage === stage)) await worker.restart();
      await onceReady();
    },
    async goAway() {
      away = true;
      await Promise.all(workers.map((worker) => worker.away()));
    },
    comeBack() {
      away = false;
      for (const worker of workers) worker.start();
    },
    onceReady,
    async stop() {
      stopped = true;
      await Promise.all(workers.map((worker) => worker.away()));
      await submitter.close();
      witness.close();
      direct.disconnect();
      await Promise.all([workerWire.close(), gatewayWire.close()]);
      await users.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A name is all that an address has to be: nobody calls the light chain's replicas. */
const replicaUrl = (workerName: string) => `http://127.0.0.1/${workerName}`;

/** Source and dist run the same file name with their own ending. */
function fileBeside(name: string): URL {
  return new URL(`./${name}.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url);
}
