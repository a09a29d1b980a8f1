import { isUtf8 } from 'node:buffer';
import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import {
  type BlockingClient,
  createBlockingClient,
  blockSeconds as defaultBlockSeconds,
} from './blocking-client.ts';
import type { QueueLog, RedisOptions } from './connect.ts';
import { isRefusal } from './errors.ts';
import { keys, type Lane, returnList } from './keys.ts';
import { type Reply, runScript, word } from './scripts.ts';

/**
 * Takes elements from one or more lists into a number of slots, and settles them. One piece, because
 * claiming and settling share the slots and ride in the same script.
 *
 * Who claims. At most one claim is under way: either a BLMOVE per source (idle; a job arrives the instant
 * it is pushed) or a settle that carries `want` (busy; ack, push and next job in one round trip).
 * - Idle: after a BLMOVE returned, the next one is issued at the end of the event loop's turn.
 * - A settle within that turn may carry the claim instead. It does when all slots had been taken, when
 *   the last such claim found something (busy), and else for every fourth job, to notice a backlog: an
 *   always-on claim would cost every idle hop one command for nothing (23 per query instead of 21).
 * - A settle's claim that found nothing ends the busy spell; the BLMOVE is issued at once.
 * Nothing is claimed beyond free slots, and nothing unless the lease is fresh: what a worker without a
 * lease claims, nobody would look after.
 *
 * Life of a delivery: waiting in a list → in flight here (slot taken) → settled (OK or FENCED). FENCED
 * means that somebody else owned the job by then; it is counted, not an error.
 *
 * Reconcile. A claim whose reply was lost leaves its element in the in-flight list of a live worker, where
 * no reaper looks (10–20 of 3,000 jobs in a chaos run). So with every beat the lists' lengths are compared
 * with what is known here, and an element unknown on two consecutive beats is adopted.
 */
export interface Delivery {
  /** The element; a Buffer when its bytes are no valid UTF-8. */
  readonly element: string | Buffer;
  readonly source: number;
  readonly list: string;
  readonly adopted: boolean;
}

export type SettleWord = 'OK' | 'FENCED';
export type ConsumerEvent = 'claimed' | 'adopted' | 'fenced' | 'returned';

export interface FinishOrder {
  id: string;
  /** The completion, JSON text. */
  value: string;
  deadlineAt: number;
  lane: Lane;
  replyTo: string | undefined;
  /** Fields of the tracked job's hash, JSON text; absent when it is not tracked. */
  trackFields: string | undefined;
  /** Whose lease ends with the job. */
  replicaUrl: string | undefined;
}

export interface BuryOrder extends Omit<FinishOrder, 'id' | 'value' | 'deadlineAt'> {
  letter: string;
  /** Absent when no id could be read: nobody can be told. */
  id: string | undefined;
  value: string;
}

export interface RetryOrder {
  id: string;
  element: string;
  delayMs: number;
  trackFields: string | undefined;
  replicaUrl: string | undefined;
}

export interface ConsumerOptions {
  redis: RedisOptions;
  /** A connection of role `worker`; shared by the consumers of a process. */
  commands: Redis;
  wid: string;
  /** In order of preference. */
  lists: string[];
  slots: number;
  /**
   * How long a BLMOVE waits on the server. Well below the lease: until it times out Redis hands jobs even
   * to a frozen process, and one handed over after the process was reaped would have no owner.
   */
  blockSeconds?: number;
  isLeaseFresh: () => boolean;
  deliver: (delivery: Delivery) => void;
  onEvent?: (event: ConsumerEvent, list: string, count: number) => void;
  log?: QueueLog;
}

export interface Consumer {
  start(): void;
  /** Settles throw only when Redis refuses the write itself (wrong type); a lost connection is waited out. */
  handoff(delivery: Delivery, next: string, element: string): Promise<SettleWord>;
  finish(delivery: Delivery, order: FinishOrder): Promise<SettleWord>;
  retry(delivery: Delivery, order: RetryOrder): Promise<SettleWord>;
  bury(delivery: Delivery, order: BuryOrder): Promise<SettleWord>;
  /** Back to the head of its list, unblamed; a generator's lease (its own URL) ends. */
  giveBack(delivery: Delivery, id: string, replicaUrl: string | undefined): Promise<SettleWord>;
  /** Keeps the slot of a delivery that is settled while its handler still runs; returns the release. */
  keepSlot(): () => void;
  reconcile(): Promise<void>;
  promoteDue(): Promise<void>;
  inFlight(): number;
  /** Every source has proven within `withinMs` that it consumes (or has no slot free to do so). */
  silentSources(withinMs: number): string[];
  stopClaiming(): Promise<void>;
  /** Returns what is still in the in-flight lists to the head of its list, unblamed. */
  giveBackRest(): Promise<number>;
  close(): void;
}

interface Source {
  list: string;
  inFlightKey: string;
  blocker: BlockingClient;
  blocked: boolean;
  pauseMs: number;
  /** Elements in flight here, with their number (the same bytes may have been pushed twice). */
  known: Map<string, number>;
  /** Elements seen in Redis and not known here, at the last reconcile. */
  suspects: Map<string, number>;
}

const maxClaim = 64;
const probeEvery = 4;

export function createConsumer(options: ConsumerOptions): Consumer {
  const { commands, wid, slots, blockSeconds = defaultBlockSeconds, log } = options;
  const sources = options.lists.map(
    (list): Source => ({
      list,
      inFlightKey: keys.inFlight(list, wid),
      blocker: createBlockingClient(options.redis, log),
      blocked: false,
      pauseMs: 0,
      known: new Map(),
      suspects: new Map(),
    }),
  );
  const claimKeys = sources.flatMap((source) => [source.list, source.inFlightKey]);
  let taken = 0;
  let settleClaims = false;
  let busy = false;
  let jobsSinceProbe = 0;
  let armScheduled = false;
  let stopping = false;
  let closed = false;
  let beats = 0;
  let lastClaimReply = Number.NEGATIVE_INFINITY;

  const emit = (event: ConsumerEvent, list: string, count = 1) => options.onEvent?.(event, list, count);

  // ── claiming ────────────────────────────────────────────────────────────────────────────────

  function mayClaim(): boolean {
    return !stopping && taken < slots && options.isLeaseFresh();
  }

  function scheduleArm(): void {
    if (armScheduled) return;
    armScheduled = true;
    setImmediate(() => {
      armScheduled = false;
      arm();
    });
  }

  function arm(): void {
    if (settleClaims || !mayClaim()) return;
    for (const source of sources) if (!source.blocked && source.pauseMs === 0) void block(source);
  }

  async function block(source: Source): Promise<void> {
    source.blocked = true;
    let element: Buffer | null = null;
    // The first one returns soon: a worker is ready when it has proven that it consumes.
    const timeoutSeconds = source.blocker.lastReturnAgeMs() === null ? 0.05 : blockSeconds;
    try {
      element = await source.blocker.run((client) =>
        client.blmoveBuffer(source.list, source.inFlightKey, 'LEFT', 'RIGHT', timeoutSeconds),
      );
    } catch (error) {
      if (!stopping) pause(source, error);
    }
    source.blocked = false;
    if (element !== null) {
      accept(source, element, false);
      scheduleArm();
    } else {
      arm();
    }
  }

  function pause(source: Source, error: unknown): void {
    if (isRefusal(error))
      log?.error({ list: source.list, error: String(error) }, 'cannot claim from this list');
    source.pauseMs = 250;
    setTimeout(() => {
      source.pauseMs = 0;
      arm();
    }, source.pauseMs).unref();
  }

  /** A settle that is about to leave may carry the claim. Its slot counts as free already. */
  function takeClaim(wasFull: boolean): number {
    if (settleClaims || !mayClaim() || sources.some((source) => source.blocked)) return 0;
    if (!wasFull && !busy) {
      jobsSinceProbe += 1;
      if (jobsSinceProbe < probeEvery) return 0;
    }
    jobsSinceProbe = 0;
    settleClaims = true;
    return Math.min(slots - taken, maxClaim);
  }

  function acceptClaimed(reply: Reply[]): void {
    for (let place = 1; place + 1 < reply.length; place += 2) {
      const source = sources[Number(String(reply[place]))];
      const element = reply[place + 1];
      if (source !== undefined && Buffer.isBuffer(element)) accept(source, element, false);
    }
  }

  function accept(source: Source, bytes: Buffer, adopted: boolean): void {
    const element = isUtf8(bytes) ? bytes.toString('utf8') : bytes;
    const delivery: Delivery = { element, source: sources.indexOf(source), list: source.list, adopted };
    remember(source, element, 1);
    // Two sources may each bring a job for the last slot; and a claim may come home after the stop.
    if (stopping || (taken >= slots && !adopted)) {
      returnTo(source.list, source, element)
        .catch((error) =>
          log?.warn({ error: String(error) }, 'could not give a job back; reconcile will see'),
        )
        .finally(() => remember(source, element, -1));
      return;
    }
    taken += 1;
    emit(adopted ? 'adopted' : 'claimed', source.list);
    if (taken >= slots) {
      for (const other of sources) {
        if (other.blocked && other !== source) other.blocker.unblock(commands).catch(() => undefined);
      }
    }
    options.deliver(delivery);
  }

  function remember(source: Source, element: string | Buffer, by: 1 | -1): void {
    const name = nameOf(element);
    const count = (source.known.get(name) ?? 0) + by;
    if (count > 0) source.known.set(name, count);
    else source.known.delete(name);
  }

  // ── settling ────────────────────────────────────────────────────────────────────────────────

  /**
   * Sends a settling script until Redis has answered. Sent again after a lost reply it finds nothing and
   * says FENCED, which is then "already done or fenced".
   */
  async function settle(
    delivery: Delivery,
    mayCarryClaim: boolean,
    send: (inFlightKey: string, want: number) => Promise<Reply>,
  ): Promise<SettleWord> {
    const source = sourceOf(delivery);
    const wasFull = taken >= slots;
    taken -= 1;
    let want = mayCarryClaim ? takeClaim(wasFull) : 0;
    const carriesClaim = want > 0;
    if (!carriesClaim && wasFull) scheduleArm();
    try {
      for (;;) {
        try {
          const reply = await send(source.inFlightKey, want);
          const answer = word(Array.isArray(reply) ? (reply[0] ?? null) : reply);
          if (carriesClaim && want > 0 && Array.isArray(reply)) {
            settleClaims = false;
            lastClaimReply = performance.now();
            busy = reply.length > 1;
            acceptClaimed(reply);
            if (busy) scheduleArm();
            else arm();
          }
          if (answer === 'FENCED') emit('fenced', source.list);
          return answer === 'OK' ? 'OK' : 'FENCED';
        } catch (error) {
          if (carriesClaim && want > 0) {
            // What this claim may have moved is for reconcile.
            settleClaims = false;
            want = 0;
            scheduleArm();
          }
          if (closed || isRefusal(error)) throw error;
          await delay(100 + Math.random() * 200);
        }
      }
    } finally {
      remember(source, delivery.element, -1);
    }
  }

  function sourceOf(delivery: Delivery): Source {
    const source = sources[delivery.source];
    if (source === undefined) throw new Error(`delivery of unknown source ${delivery.source} (queue-4711)`);
    return source;
  }

  async function returnTo(
    list: string,
    source: Source,
    element: string | Buffer,
    lease?: { id: string; url: string | undefined },
  ): Promise<SettleWord> {
    const reply = await runScript(
      commands,
      'give-back',
      [source.inFlightKey, list, ...leaseKeys(lease?.url)],
      [element, lease?.id ?? ''],
    );
    if (word(reply) !== 'OK') return 'FENCED';
    emit('returned', source.list);
    return 'OK';
  }

  const leaseKeys = (url: string | undefined): [string, string] =>
    url === undefined ? [keys.none, keys.none] : [keys.leases(url), keys.load(url)];

  // ── reconcile ───────────────────────────────────────────────────────────────────────────────

  async function reconcileSource(source: Source, always: boolean): Promise<void> {
    const length = await commands.llen(source.inFlightKey);
    let knownCount = 0;
    for (const count of source.known.values()) knownCount += count;
    if (length === knownCount && source.suspects.size === 0 && !always) return;

    const elements = await commands.lrangeBuffer(source.inFlightKey, 0, -1);
    const unknown = new Map<string, { count: number; bytes: Buffer }>();
    for (const bytes of elements) {
      const name = nameOf(isUtf8(bytes) ? bytes.toString('utf8') : bytes);
      unknown.set(name, { count: (unknown.get(name)?.count ?? 0) + 1, bytes });
    }
    const suspects = new Map<string, number>();
    for (const [name, { count, bytes }] of unknown) {
      const surplus = count - (source.known.get(name) ?? 0);
      if (surplus <= 0) continue;
      const proven = Math.min(surplus, source.suspects.get(name) ?? 0);
      for (let adopted = 0; adopted < proven; adopted += 1) accept(source, bytes, true);
      if (surplus > proven) suspects.set(name, surplus - proven);
    }
    source.suspects = suspects;
  }

  return {
    start: arm,
    handoff: (delivery, next, element) =>
      settle(delivery, true, (inFlightKey, want) =>
        runScript(commands, 'handoff', want > 0 ? [inFlightKey, next, ...claimKeys] : [inFlightKey, next], [
          delivery.element,
          element,
          want,
        ]),
      ),
    finish: (delivery, order) =>
      settle(delivery, true, (inFlightKey, want) =>
        runScript(
          commands,
          'finish',
          [
            inFlightKey,
            keys.completion(order.id),
            keys.live(order.lane),
            order.replyTo === undefined ? keys.none : keys.inbox(order.replyTo),
            order.trackFields === undefined ? keys.none : keys.job(order.id),
            ...leaseKeys(order.replicaUrl),
            ...(want > 0 ? claimKeys : []),
          ],
          [delivery.element, order.id, order.value, order.deadlineAt, order.trackFields ?? '', want],
        ),
      ),
    retry: (delivery, order) =>
      settle(delivery, false, (inFlightKey) =>
        runScript(
          commands,
          'retry',
          [
            inFlightKey,
            keys.retry(delivery.list),
            order.trackFields === undefined ? keys.none : keys.job(order.id),
            ...leaseKeys(order.replicaUrl),
          ],
          [delivery.element, order.element, Math.round(order.delayMs), order.id, order.trackFields ?? ''],
        ),
      ).finally(scheduleArm),
    bury: (delivery, order) =>
      settle(delivery, false, (inFlightKey) =>
        runScript(
          commands,
          'bury',
          [
            inFlightKey,
            keys.dead(delivery.list),
            keys.completion(order.id ?? ''),
            keys.live(order.lane),
            order.replyTo === undefined ? keys.none : keys.inbox(order.replyTo),
            order.trackFields === undefined || order.id === undefined ? keys.none : keys.job(order.id),
            ...leaseKeys(order.replicaUrl),
            keys.workers,
          ],
          [delivery.element, order.letter, order.id ?? '', order.value, order.trackFields ?? '', ''],
        ),
      ).finally(scheduleArm),
    giveBack(delivery, id, replicaUrl) {
      const source = sourceOf(delivery);
      taken -= 1;
      return returnTo(returnList(source.list), source, delivery.element, { id, url: replicaUrl }).finally(
        () => remember(source, delivery.element, -1),
      );
    },
    keepSlot() {
      taken += 1;
      let kept = true;
      return () => {
        if (!kept) return;
        kept = false;
        taken -= 1;
        scheduleArm();
      };
    },
    async reconcile() {
      beats += 1;
      await Promise.all(sources.map((source) => reconcileSource(source, beats % 10 === 0)));
      arm();
    },
    async promoteDue() {
      const lists = new Set(sources.map((source) => returnList(source.list)));
      await Promise.all(
        [...lists].map(async (list) => {
          if ((await commands.exists(keys.retry(list))) === 0) return;
          await runScript(commands, 'promote', [keys.retry(list), list], [16]);
        }),
      );
    },
    inFlight: () => taken,
    silentSources: (withinMs) =>
      taken >= slots || performance.now() - lastClaimReply < withinMs
        ? []
        : sources
            .filter((source) => (source.blocker.lastReturnAgeMs() ?? Number.POSITIVE_INFINITY) > withinMs)
            .map((source) => source.list),
    async stopClaiming() {
      stopping = true;
      for (const source of sources) source.blocker.close();
      await Promise.resolve();
    },
    async giveBackRest() {
      let returned = 0;
      for (const source of sources) {
        // From the tail, so that the order at the head of the list is the old one.
        const rest = await commands.lrangeBuffer(source.inFlightKey, 0, -1);
        for (const element of rest.reverse()) {
          const answer = await returnTo(returnList(source.list), source, element);
          if (answer === 'OK') returned += 1;
        }
      }
      return returned;
    },
    close() {
      closed = true;
      stopping = true;
      for (const source of sources) source.blocker.close();
    },
  };
}

/** A name for bytes: texts are their own, others get a mark no text begins with. */
function nameOf(element: string | Buffer): string {
  return typeof element === 'string' ? element : `\uFFFF${element.toString('latin1')}`;
}
