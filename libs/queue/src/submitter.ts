import { setTimeout as delay } from 'node:timers/promises';
import type { AnswerFrame } from '@vortex/contracts';
import { createAdmissionGatherer, elementOf } from './admission-gatherer.ts';
import { blockSeconds, createBlockingClient } from './blocking-client.ts';
import { type CaretakerOptions, startCaretaker } from './caretaker.ts';
import { connect, keepSubscribed, type QueueLog, type RedisOptions } from './connect.ts';
import { parseObject } from './element.ts';
import { QueueFull, QueueUnavailable } from './errors.ts';
import { keys, type Lane } from './keys.ts';
import { firstFields, type JobOwner } from './live-view.ts';
import { runScript, word } from './scripts.ts';

/** A generator replica a query may be assigned to. */
export interface ReplicaCandidate {
  url: string;
  workerName: string;
  slots: number;
}

export interface SubmittedJob {
  /** The list of the first stage. */
  list: string;
  lane: Lane;
  id: string;
  /** Epoch milliseconds. */
  deadlineAt: number;
  /**
   * The stage's fields, and header fields such as tenant or traceparent; id, deadline, times and address are
   * filled in. `bare`: the list holds ids (`elements: 'ids'`), and the id is all that is pushed.
   */
  envelope: Record<string, unknown> | 'bare';
  /**
   * A JSON object (not an empty one) in UTF-8 whose members follow the envelope's, as a client sent it: what was
   * parsed to be checked need not be written anew. The caller has made sure that it names no header field.
   */
  body?: Buffer;
  /** Replicas to choose the least loaded from; absent or none free: any replica takes it when it has a slot. */
  candidates?: ReplicaCandidate[];
  /**
   * As many jobs of the lane may be in the chain at once. `owed`: a part of work that was admitted before, untracked
   * and without candidates, is let in beyond any cap and also by a full Redis.
   */
  cap: number | 'owed';
  /** `owed` only: to the head of the list, before all that waits there. */
  first?: boolean;
  /** Show it in the live view: the hash `job:<id>` until an hour after its end, `jobs:active`, `jobs:recent`. */
  track?: TrackedAs;
}

export interface TrackedAs extends JobOwner {
  type: string;
  /** What was asked for, as `payload` shows it. Not the document itself. */
  payload?: Record<string, unknown>;
  maxRetries?: number;
}

export interface SubmitOptions {
  signal?: AbortSignal;
  onFrame?: (frame: AnswerFrame) => void;
  /** Redis has taken the job (or has it already). */
  onAdmitted?: () => void;
}

/**
 * Puts jobs into the chain and waits for their ends, for any number of callers over three connections.
 *
 * A wait is: registered here, then admitted, then woken by the inbox `job:done:<name>` (a list: the text
 * of the completion inline). The completion key is the truth, so once a second one pipelined check asks
 * for every waiting id whether it is live and whether it has ended. Neither: Redis has lost it (a wipe, a
 * failover), and it is admitted again under the same id. While Redis is away, waits wait: the deadline
 * belongs to the caller. One piece: inbox, check and admission are the three writers of one map of waits.
 */
export interface Submitter {
  readonly name: string;
  /** Connects in the background: resolves even when Redis is down. */
  start(): Promise<void>;
  /**
   * Resolves with the completion, JSON text (contracts' `completionOf`).
   * @throws QueueUnavailable within a second when Redis is down or full; QueueFull when the cap is reached;
   * DOMException named AbortError when the signal fires (the job goes on: `cancel` ends it).
   */
  submit(job: SubmittedJob, options?: SubmitOptions): Promise<string>;
  /** Admits without waiting. @throws as submit. */
  enqueue(job: SubmittedJob): Promise<void>;
  /** Asks for a job to be dropped wherever it is; its completion then says `cancelled`. @throws QueueUnavailable */
  cancel(id: string): Promise<void>;
  /** Takes a cancellation back, for a job that is to run again under its id. @throws QueueUnavailable */
  uncancel(id: string): Promise<void>;
  /**
   * Takes a generator replica out of use, or lets it back in; within a second it hears of it. False: there is none.
   * @throws QueueUnavailable
   */
  drainReplica(url: string, word: 'DRAIN' | 'RESUME'): Promise<boolean>;
  /** Which of these ids are in the chain: admitted and not ended. @throws QueueUnavailable */
  areLive(lane: Lane, ids: readonly string[]): Promise<boolean[]>;
  /** Redis answers, and the inbox has been popped within five seconds. */
  isReady(): boolean;
  /** Waits that are open. */
  waiting(): number;
  close(): Promise<void>;
}

export interface SubmitterOptions {
  redis: RedisOptions;
  /** Unique per process: two processes that share an inbox take each other's answers. */
  name: string;
  log?: QueueLog;
  /** Interval of the safety check. */
  checkMs?: number;
  caretaker?: Pick<CaretakerOptions, 'tickMs' | 'graceMs' | 'onEvent'>;
}

/** One job that is waited for; a second submit of the same id joins the first. */
interface Wait {
  job: SubmittedJob;
  since: number;
  callers: Set<Caller>;
}

interface Caller {
  onFrame: ((frame: AnswerFrame) => void) | undefined;
  resolve: (completion: string) => void;
}

const inboxBatch = 128;
/** As long as an end waits for the frames before it. */
const framesMs = 250;
const checkChunk = 200;
const cancelKeepMs = 10 * 60_000;

export function createSubmitter(options: SubmitterOptions): Submitter {
  const { redis, name, log, checkMs = 1000 } = options;
  const commands = connect(redis, 'fail-fast', log);
  const inbox = createBlockingClient(redis, log);
  const subscriber = connect(redis, 'subscriber', log);
  const caretaker = startCaretaker({ commands, ...(log && { log }), ...options.caretaker });
  const gatherer = createAdmissionGatherer(commands);
  const waits = new Map<string, Wait>();
  let closed = false;
  let started = false;
  let checkTimer: NodeJS.Timeout | undefined;

  // ── admitting ───────────────────────────────────────────────────────────────────────────────

  async function admit(job: SubmittedJob, replyTo: string | undefined): Promise<void> {
    const { cap } = job;
    if (cap === 'owed') return admitOwed(job, replyTo);
    const candidates = shuffled(job.candidates ?? []);
    const bare = job.envelope === 'bare';
    const element = elementOf(job, replyTo);
    let answer: string;
    try {
      const reply = await runScript(
        commands,
        'admit',
        [
          keys.live(job.lane),
          job.list,
          keys.sharedGeneratorList,
          job.track === undefined ? keys.completion(job.id) : keys.job(job.id),
          keys.active,
          keys.recent,
          keys.pool,
          ...candidates.flatMap(({ url }) => [keys.leases(url), keys.load(url), keys.replica(url)]),
        ],
        [
          job.id,
          job.deadlineAt,
          cap,
          bare ? '' : '{',
          bare ? element : element.slice(1),
          job.track === undefined ? '' : queuedFields(job.id, job.track),
          ...candidates.flatMap(({ slots, url, workerName }) => [
            slots,
            url,
            `"replica":${JSON.stringify({ worker_name: workerName, url })},`,
          ]),
        ],
      );
      answer = word(reply);
    } catch (error) {
      throw new QueueUnavailable('the queue did not take the job: Redis is down, slow or full', error);
    }
    if (answer === 'FULL') throw queueFull();
  }

  async function admitOwed(job: SubmittedJob, replyTo: string | undefined): Promise<void> {
    try {
      await runScript(
        commands,
        'admit-owed',
        [keys.live(job.lane), job.list, keys.completion(job.id)],
        [job.id, job.deadlineAt, elementOf(job, replyTo), job.first === true ? 'HEAD' : 'TAIL'],
      );
    } catch (error) {
      throw new QueueUnavailable('the queue did not take the job: Redis is down or slow', error);
    }
  }

  // ── ends ────────────────────────────────────────────────────────────────────────────────────

  function settle(id: string, completion: string): void {
    const wait = waits.get(id);
    if (wait === undefined) return;
    waits.delete(id);
    for (const caller of wait.callers) {
      if (caller.onFrame === undefined) caller.resolve(completion);
      else {
        // Frames travel on another connection: its reply to a ping comes after every frame sent before the end.
        lateCallers.set(id, wait);
        void framesArrived().then(() => {
          lateCallers.delete(id);
          caller.resolve(completion);
        });
      }
    }
  }

  /** Waits whose completion is here and whose last frames may still be on the way. */
  const lateCallers = new Map<string, Wait>();

  async function framesArrived(): Promise<void> {
    await Promise.race([subscriber.ping().catch(() => undefined), delay(redis.answerMs ?? framesMs)]);
  }

  async function readInbox(): Promise<void> {
    while (!closed) {
      try {
        const popped = await inbox.run((client) =>
          client.blmpop(
            inbox.lastReturnAgeMs() === null ? 0.05 : blockSeconds,
            1,
            keys.inbox(name),
            'LEFT',
            'COUNT',
            inboxBatch,
          ),
        );
        for (const completion of popped?.[1] ?? []) {
          const id = completionId(completion);
          if (id !== null) settle(id, completion);
        }
      } catch {
        if (!closed) await delay(200);
      }
    }
  }

  // ── safety check ────────────────────────────────────────────────────────────────────────────

  async function check(): Promise<void> {
    const now = performance.now();
    const due = [...waits.values()].filter((wait) => now - wait.since >= checkMs);
    for (const lane of ['interactive', 'low'] as const) {
      const ofLane = due.filter((wait) => wait.job.lane === lane);
      for (let from = 0; from < ofLane.length; from += checkChunk) {
        await checkSome(lane, ofLane.slice(from, from + checkChunk));
      }
    }
  }

  async function checkSome(lane: Lane, some: Wait[]): Promise<void> {
    const ids = some.map((wait) => wait.job.id);
    // Liveness first: a job that ends between the two questions shows its completion to the second.
    const [deadlines, completions] = await Promise.all([
      commands.zmscore(keys.live(lane), ...ids),
      commands.mget(ids.map((id) => keys.completion(id))),
    ]);
    for (const [place, wait] of some.entries()) {
      const completion = completions[place];
      if (typeof completion === 'string') settle(wait.job.id, completion);
      else if (deadlines[place] === null && waits.has(wait.job.id)) await resubmit(wait);
    }
  }

  async function resubmit(wait: Wait): Promise<void> {
    try {
      const cap = wait.job.cap === 'owed' ? 'owed' : Number.MAX_SAFE_INTEGER;
      await admit({ ...wait.job, cap }, name);
      log?.warn({ job_id: wait.job.id }, 'redis no longer knew the job; it was submitted again');
    } catch (error) {
      log?.debug(
        { job_id: wait.job.id, error: String(error) },
        'could not submit again; the next check tries',
      );
    }
  }

  function scheduleCheck(): void {
    if (closed) return;
    checkTimer = setTimeout(() => {
      check()
        .catch(() => undefined)
        .finally(scheduleCheck);
    }, checkMs);
    checkTimer.unref();
  }

  subscriber.on('message', (_channel: string, text: string) => {
    // Anyone may publish here; what is no object must not end the process.
    const frame = parseObject(text) as AnswerFrame | null;
    if (frame === null) return;
    const wait = waits.get(frame.id) ?? lateCallers.get(frame.id);
    for (const caller of wait?.callers ?? []) caller.onFrame?.(frame);
  });

  return {
    name,
    async start() {
      if (started) return;
      started = true;
      keepSubscribed(subscriber, keys.framesChannel(name));
      void readInbox();
      scheduleCheck();
    },
    submit(job, { signal, onFrame, onAdmitted } = {}) {
      if (!started) throw new Error('start() the submitter before submit()');
      return new Promise((resolve, reject) => {
        const wait = waits.get(job.id) ?? { job, since: performance.now(), callers: new Set<Caller>() };
        const leave = () => {
          signal?.removeEventListener('abort', abort);
          wait.callers.delete(caller);
          if (wait.callers.size === 0 && waits.get(job.id) === wait) waits.delete(job.id);
        };
        const abort = () => {
          leave();
          reject(new DOMException('the caller no longer waits', 'AbortError'));
        };
        const caller: Caller = {
          onFrame,
          resolve: (completion) => {
            leave();
            resolve(completion);
          },
        };
        if (signal?.aborted) return abort();
        signal?.addEventListener('abort', abort, { once: true });
        wait.callers.add(caller);
        waits.set(job.id, wait);
        admit(job, name).then(onAdmitted, (error) => {
          leave();
          reject(error);
        });
      });
    },
    async enqueue(job) {
      if (job.track === undefined || job.candidates !== undefined) return admit(job, undefined);
      if ((await gatherer.admit(job, job.track)) === 'FULL') throw queueFull();
    },
    async cancel(id) {
      try {
        await runScript(commands, 'cancel', [keys.cancelled, keys.cancelChannel], [id, cancelKeepMs]);
      } catch (error) {
        throw new QueueUnavailable('the cancellation could not be sent: Redis is down or slow', error);
      }
    },
    async uncancel(id) {
      try {
        await commands.zrem(keys.cancelled, id);
      } catch (error) {
        throw new QueueUnavailable('the cancellation could not be taken back: Redis is down or slow', error);
      }
    },
    async drainReplica(url, order) {
      try {
        const reply = await runScript(
          commands,
          'drain-replica',
          [keys.pool, keys.replica(url)],
          [url, order],
        );
        return word(reply) === 'OK';
      } catch (error) {
        throw new QueueUnavailable('the replica could not be told: Redis is down or slow', error);
      }
    },
    async areLive(lane, ids) {
      if (ids.length === 0) return [];
      try {
        return (await commands.zmscore(keys.live(lane), ...ids)).map((deadline) => deadline !== null);
      } catch (error) {
        throw new QueueUnavailable('could not ask what is in the chain: Redis is down or slow', error);
      }
    },
    isReady: () =>
      commands.status === 'ready' && (inbox.lastReturnAgeMs() ?? Number.POSITIVE_INFINITY) < 5000,
    waiting: () => waits.size,
    async close() {
      if (closed) return;
      closed = true;
      clearTimeout(checkTimer);
      await caretaker.stop();
      inbox.close();
      subscriber.disconnect();
      commands.disconnect();
    },
  };
}

/** A fifth of jitter, so that those who are sent away do not all come back at once. */
function queueFull(): QueueFull {
  return new QueueFull(Math.round(1000 * (0.8 + Math.random() * 0.4)));
}

/** Fields of a tracked job's hash when it enters, as a flat JSON list for HSET. */
function queuedFields(id: string, track: TrackedAs): string {
  const { type, payload, maxRetries } = track;
  return JSON.stringify(
    Object.entries(firstFields(id, type, track, { status: 'queued', payload, maxRetries })).flat(),
  );
}

/** Completions are written with the id first, so the text need not be parsed to find the wait. */
function completionId(completion: string): string | null {
  const quoted = /^\{"id":("(?:[^"\\]|\\.)*")/.exec(completion)?.[1];
  if (quoted === undefined) return null;
  return JSON.parse(quoted) as string;
}

function shuffled<Item>(items: Item[]): Item[] {
  if (items.length < 2) return items;
  return items
    .map((item) => ({ item, place: Math.random() }))
    .sort((left, right) => left.place - right.place)
    .map(({ item }) => item);
}
