import type { JobHeader } from '@vortex/contracts';
import type { ReplicaNotes, ReplicaVerdict } from '@vortex/queue';
import { type CallLimits, callLimits } from './call-limits.ts';
import { MovingAverage } from './moving-average.ts';

/**
 * What a generator replica knows of its own language model, and what its breaker allows it.
 *
 * The breaker lives in Redis (queue, lua/includes/pool.lua) and is moved by scripts alone. Here calls are
 * counted and their pace is measured; a report takes the counts there and brings the verdict back: once a second
 * while all is well, and in the same turn after a failure, or after any call while the breaker is not simply
 * closed. Before the first verdict, and while Redis is away, the last one holds.
 *
 *   closed                any list, all slots (fewer during slow start)
 *   open, half open       its own list, one at a time: the probe runs, every other job goes back to the shared list
 *   open, but forced      as the verdict says: alone in the pool it is used as if it were closed
 *   drained by a person   as open, without a probe
 */
export interface ReplicaHealth {
  /** There is somebody else to try. */
  hasOthers(): boolean;
  begin(job: Pick<JobHeader, 'attempt' | 'redelivered' | 'first_at' | 'replica'>): ModelCall;
  /** For the consumer: how many jobs at a time, and from which lists. */
  allowance(): { slots: number; mayTake(list: string): boolean };
  /** Whether a job that has been claimed may run here. */
  mayRun(job: Pick<JobHeader, 'replica'>): boolean;
  /** The job has failed here, and somebody else may take it soon. */
  isForOthers(job: Pick<JobHeader, 'exclude' | 'enqueued_at'>, now: number): boolean;
  /** Connects it to Redis; `onVerdict` hears of every change of what is allowed. */
  attach(link: ReplicaLink): void;
  report(): Promise<void>;
  /** The process stops: it is no longer counted with the pool. */
  leave(): Promise<void>;
}

export interface ReplicaLink {
  url: string;
  sharedList: string;
  send(notes: ReplicaNotes): Promise<ReplicaVerdict>;
  onVerdict(verdict: ReplicaVerdict, before: ReplicaVerdict | null): void;
}

/**
 * `late` is a failure that cost somebody a timeout: it weighs as much as three quick ones, so that a replica which
 * hangs is out after two. `neutral` says nothing of the replica: the caller cancelled, or asked for nonsense.
 */
export type CallEnd = 'ok' | 'failed' | 'late' | 'neutral';

export interface ModelCall {
  limits(more: { remainingMs: number; isLastTry: boolean }): CallLimits;
  firstToken(afterMs: number): void;
  pace(perTokenMs: number): void;
  /** The first one counts. */
  end(how: CallEnd): void;
}

const lateWeight = 3;
/** So long a job waits for another replica than those that failed at it; then anyone may take it. */
const preferOthersMs = 3000;

export function createReplicaHealth(options: {
  workerName: string;
  slots: number;
  /** No call is late before this. */
  leastMs: number;
}): ReplicaHealth {
  const { workerName, slots, leastMs } = options;
  let link: ReplicaLink | undefined;
  let verdict: ReplicaVerdict | null = null;
  let noted = { ok: 0, failed: 0, streak: 0, begun: 0, released: false };
  let probing = 0;
  let firstTokens = new MovingAverage();
  let tokens = new MovingAverage();
  let underWay: Promise<void> | undefined;
  let again = false;
  let leaving = false;

  const isSteady = () => verdict === null || (verdict.state === 'closed' && verdict.slots >= slots);

  function notes(): ReplicaNotes {
    const { released, ...counts } = noted;
    return {
      worker_name: workerName,
      slots,
      trips: verdict?.trips ?? 0,
      ...counts,
      ...(released && { released }),
      ...(probing > 0 && { probing: true }),
      ...(leaving && { leaving }),
      first_token_ms: firstTokens.usual(),
      token_ms: tokens.usual(),
    };
  }

  /** One at a time: what is noted meanwhile goes with the next, which follows at once. */
  function report(): Promise<void> {
    if (underWay !== undefined) {
      again = true;
      return underWay;
    }
    underWay = send().finally(() => {
      underWay = undefined;
      if (again) {
        again = false;
        void report();
      }
    });
    return underWay;
  }

  async function send(): Promise<void> {
    if (link === undefined) return;
    const sent = noted;
    const message = notes();
    noted = { ok: 0, failed: 0, streak: 0, begun: 0, released: false };
    try {
      const said = await link.send(message);
      const before = verdict;
      verdict = said;
      // Noted while the report was on its way, of calls that began before the breaker opened.
      if (said.trips !== (before?.trips ?? 0)) noted = { ...noted, ok: 0, failed: 0, streak: 0 };
      // What was measured while it was ill is no measure of the replica that is well again.
      if (said.state === 'closed' && said.from !== 'closed' && said.from !== undefined) {
        firstTokens = new MovingAverage();
        tokens = new MovingAverage();
      }
      link.onVerdict(said, before);
    } catch {
      noted = {
        ok: noted.ok + sent.ok,
        failed: noted.failed + sent.failed,
        streak: noted.ok > 0 ? noted.streak : noted.streak + sent.streak,
        begun: noted.begun + sent.begun,
        released: noted.released || sent.released,
      };
    }
  }

  function note(how: CallEnd, isProbe: boolean): void {
    if (how === 'ok') {
      noted.ok += 1;
      noted.streak = 0;
    } else if (how !== 'neutral') {
      noted.failed += 1;
      noted.streak += how === 'late' ? lateWeight : 1;
    } else if (isProbe) noted.released = true;
    // The first failures of a turn leave in its write, before the settles that follow.
    if ((how !== 'ok' && how !== 'neutral') || !isSteady()) void report();
  }

  return {
    hasOthers: () => (verdict?.others ?? 0) > 0,
    begin(job) {
      const trips = verdict?.trips ?? 0;
      const isProbe = job.replica?.probe === true && job.replica.url === link?.url;
      let ended = false;
      if (isProbe) probing += 1;
      // One that was put off is in its first try still, but has `first_at`: it deposits once.
      if (job.attempt === 1 && job.redelivered === 0 && job.first_at === undefined) noted.begun += 1;
      return {
        limits: (more) => callLimits(verdict ?? { others: 0 }, { ...more, leastMs }),
        firstToken: (afterMs) => firstTokens.add(afterMs),
        pace: (perTokenMs) => tokens.add(perTokenMs),
        end(how) {
          if (ended) return;
          ended = true;
          if (isProbe) probing -= 1;
          // Begun before the breaker opened: it says nothing of the replica as it is now.
          if (trips === (verdict?.trips ?? 0)) note(how, isProbe);
        },
      };
    },
    allowance() {
      const allowed = verdict;
      return {
        // One more than none: its own list is emptied either way, by running the probe and returning the rest.
        slots: Math.max(1, Math.min(slots, allowed?.slots ?? slots)),
        mayTake: (list) => list !== link?.sharedList || allowed === null || allowed.shared,
      };
    },
    mayRun: ({ replica }) =>
      verdict === null || verdict.slots > 0 || (replica?.probe === true && replica.url === link?.url),
    isForOthers: ({ exclude, enqueued_at: since }, now) =>
      link !== undefined &&
      exclude?.includes(link.url) === true &&
      (verdict?.others ?? 0) > 0 &&
      now - (since ?? 0) < preferOthersMs,
    attach(to) {
      link = to;
    },
    report,
    async leave() {
      leaving = true;
      await report();
    },
  };
}
