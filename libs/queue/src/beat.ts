import { Worker } from 'node:worker_threads';
import type { QueueLog, RedisOptions } from './connect.ts';
import { keys } from './keys.ts';
import type { KeysOf } from './scripts.ts';

/** Lease and beat: a death is noticed within lease + reaper tick, and redelivered within 13 s. */
export const defaultLeaseMs = 10_000;
export const defaultBeatMs = 3_000;

/**
 * A main loop that has not turned for this long is taken for hung. A minute is far above any computation
 * that belongs on a main loop (a 64 MB envelope parses in under a second) and far below a person's patience.
 */
const defaultStuckMs = 60_000;

export interface BeatReplica {
  url: string;
  workerName: string;
  slots: number;
  list: string;
}

export interface BeatThreadData {
  redis: RedisOptions;
  /** Of `beat`: built here, because keys.ts brings the whole map with its schemas, and the thread has 32 MB. */
  keys: KeysOf<'beat'>;
  members: string[];
  replica: BeatReplica | undefined;
  /** What it announces from its start on: a thread may be started again during a drain. */
  state: 'up' | 'draining';
  leaseMs: number;
  beatMs: number;
  stuckMs: number;
  /**
   * Three 64-bit numbers, nanoseconds: process.hrtime at the main loop's last turn and at the last accepted beat, and
   * what has to be added to it to have Redis' time.
   */
  shared: SharedArrayBuffer;
}
export type BeatOrder = { kind: 'draining' } | { kind: 'stop' };
export type BeatReport =
  | { kind: 'accepted' }
  | { kind: 'stuck'; forMs: number }
  | { kind: 'failed'; reason: string };

export interface Beat {
  /** The lease surely holds: only then may anything be claimed, or nobody would look after it. */
  isFresh(): boolean;
  /** Age of the last accepted beat; null before the first. */
  ageMs(): number | null;
  /**
   * Epoch milliseconds by Redis' clock, as of the last beat and counted on by a monotonic one, so that this host's wall
   * clock may be wrong, or be set; that of the host before the first beat.
   */
  nowMs(): number;
  /** Announces (to admit and to `status`) that this replica takes no more work. */
  announceDraining(): void;
  stop(): Promise<void>;
}

export interface BeatOptions {
  redis: RedisOptions;
  members: string[];
  replica?: BeatReplica;
  leaseMs?: number;
  beatMs?: number;
  stuckMs?: number;
  log?: QueueLog;
  onAccepted?: () => void;
}

function beatKeys(url: string | undefined): KeysOf<'beat'> {
  if (url === undefined) return [keys.workers];
  return [keys.workers, keys.replicas, keys.replica(url), keys.leases(url), keys.load(url)];
}

export function startBeat(options: BeatOptions): Beat {
  const { leaseMs = defaultLeaseMs, beatMs = defaultBeatMs, stuckMs = defaultStuckMs, log } = options;
  // The thread gets a structured clone, and the options of a process carry functions: only the address, by name.
  const { url, tls } = options.redis;
  const data: BeatThreadData = {
    redis: { url, ...(tls && { tls }) },
    keys: beatKeys(options.replica?.url),
    members: options.members,
    replica: options.replica,
    state: 'up',
    leaseMs,
    beatMs,
    stuckMs,
    shared: new SharedArrayBuffer(24),
  };
  const marks = new BigInt64Array(data.shared);
  const mark = () => Atomics.store(marks, 0, process.hrtime.bigint());
  mark();
  const marker = setInterval(mark, Math.min(250, beatMs));
  let stopping = false;
  let failing = false;
  let ended = false;
  let thread = start();

  function start(): Worker {
    // Source and dist run the same file name with their own ending.
    const file = import.meta.url.endsWith('.ts') ? './beat-thread.ts' : './beat-thread.js';
    const worker = new Worker(new URL(file, import.meta.url), {
      workerData: data,
      name: 'beat',
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 4 },
    });
    worker.on('message', (message: BeatReport) => {
      if (message.kind === 'accepted') {
        if (failing) log?.info({}, 'beats are accepted again');
        failing = false;
        options.onAccepted?.();
      } else if (message.kind === 'stuck') {
        log?.error({ stuck_ms: Math.round(message.forMs) }, 'the main loop hung; the lease was let go');
      } else {
        if (!failing) log?.warn({ error: message.reason }, 'a beat was not accepted; trying again');
        failing = true;
      }
    });
    worker.on('error', (error) => log?.error({ error: String(error) }, 'the beat thread failed'));
    ended = false;
    worker.on('exit', () => {
      ended = true;
      setTimeout(() => {
        if (!stopping) thread = start();
      }, 500).unref();
    });
    return worker;
  }

  function ageMs(): number | null {
    const accepted = Atomics.load(marks, 1);
    return accepted === 0n ? null : Number(process.hrtime.bigint() - accepted) / 1e6;
  }

  return {
    // A fifth of the lease is kept back for a claim that is under way when the check is made.
    isFresh: () => (ageMs() ?? Number.POSITIVE_INFINITY) < leaseMs * 0.8,
    ageMs,
    nowMs() {
      const offset = Atomics.load(marks, 2);
      return offset === 0n ? Date.now() : Number((process.hrtime.bigint() + offset) / 1_000_000n);
    },
    announceDraining() {
      data.state = 'draining';
      thread.postMessage({ kind: 'draining' } satisfies BeatOrder);
    },
    async stop() {
      if (stopping) return;
      stopping = true;
      clearInterval(marker);
      // It has said so once, and would not again.
      if (ended) return;
      const gone = new Promise<void>((resolve) => thread.once('exit', () => resolve()));
      thread.postMessage({ kind: 'stop' } satisfies BeatOrder);
      const timer = setTimeout(() => void thread.terminate(), 500);
      await gone;
      clearTimeout(timer);
    },
  };
}
