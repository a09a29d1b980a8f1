import { isUtf8 } from 'node:buffer';
import type { Redis } from 'ioredis';
import {
  type BlockingClient,
  createBlockingClient,
  blockSeconds as defaultBlockSeconds,
} from './blocking-client.ts';
import type { QueueLog, RedisOptions } from './connect.ts';
import { isOutOfMemory, isRefusal } from './errors.ts';
import { keys, returnList } from './keys.ts';
import { runScript } from './scripts.ts';
import {
  type BuryOrder,
  createSettler,
  type FinishOrder,
  type RetryOrder,
  type SettleWord,
} from './settler.ts';
import { atTurnEnd } from './turn-end.ts';

/**
 * Takes elements from one or more lists into a number of slots, and settles them. One piece, because what
 * is settled decides what may be claimed.
 *
 * Who claims. At most one claim is under way: either a BLMOVE per source (a job arrives the instant it is
 * pushed), or the `claim` script (a backlog, as many as there are free slots). Which one is decided at the
 * end of an event loop's turn, and leaves in the same write as that turn's settles. The script is chosen
 * where a backlog is likely: all slots had been taken, or the last script found something (busy), or fewer
 * than three scripts in a row were for nothing. Else it is asked once in sixteen jobs: always asking would
 * cost an idle chain six commands per query, and never asking would fetch a wave of jobs one by one. A
 * script that finds nothing is followed by BLMOVE at once.
 * BLMOVE is refused by a Redis that is full, though it needs no room; the script is not. While that lasts the
 * script is asked four times a second instead: 137 of 150 admitted questions once stood still until the memory came
 * back, because idle workers had nothing but BLMOVE.
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
  readonly inFlightKey: string;
  readonly adopted: boolean;
}

export type ConsumerEvent = 'claimed' | 'adopted' | 'fenced' | 'returned';

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
  /**
   * Generators: what their breaker allows just now, below `slots`, and which lists. It may shrink at any time;
   * what was claimed stays. `reconsider` tells the consumer that it has changed.
   */
  allowance?: () => { slots: number; mayTake: (list: string) => boolean };
  deliver: (delivery: Delivery) => void;
  onEvent?: (event: ConsumerEvent, list: string, count: number) => void;
  log?: QueueLog;
}

export interface Consumer {
  start(): void;
  /** Settles reject only when Redis refuses the write itself (wrong type); a lost connection is waited out. */
  handoff(delivery: Delivery, next: string, element: string): Promise<SettleWord>;
  finish(delivery: Delivery, order: FinishOrder): Promise<SettleWord>;
  retry(delivery: Delivery, order: RetryOrder): Promise<SettleWord>;
  bury(delivery: Delivery, order: BuryOrder): Promise<SettleWord>;
  /** Back to the head of its list, unblamed; a generator's lease (its own URL) ends. */
  giveBack(delivery: Delivery, id: string, replicaUrl: string | undefined): Promise<SettleWord>;
  /** Keeps the slot of a delivery that is settled while its handler still runs; returns the release. */
  keepSlot(): () => void;
  /** The allowance has changed. */
  reconsider(): void;
  reconcile(): Promise<void>;
  promoteDue(): Promise<void>;
  inFlight(): number;
  /** Sources that have not proven within `withinMs` that they consume (though a slot was free to do so). */
  silentSources(withinMs: number): string[];
  stopClaiming(): void;
  /** Claims nothing until `resume`; what still comes in goes back to the head of its list, unblamed. */
  pause(): void;
  resume(): void;
  /** Deliveries that are in flight here, settles that Redis has not answered and claims under way included. */
  held(): number;
  /** Returns what is still in the in-flight lists to the head of its list, unblamed. */
  giveBackRest(): Promise<number>;
  close(): void;
}

interface Source {
  list: string;
  inFlightKey: string;
  blocker: BlockingClient;
  blocked: boolean;
  paused: boolean;
  /** Redis refused the last BLMOVE. */
  refused: boolean;
  /** In flight here, as far as this process knows. */
  held: Set<Delivery>;
  /** Elements seen in Redis and not known here, at the last reconcile. */
  suspects: Map<string, number>;
}

const maxClaim = 64;
const refusedPauseMs = 250;
/** So many claims in a row that found nothing, and it is not asked at every occasion any more … */
const hopefulClaims = 3;
/** … but once in so many jobs. */
const probeEvery = 16;

export function createConsumer(options: ConsumerOptions): Consumer {
  const { commands, wid, slots, blockSeconds = defaultBlockSeconds, log } = options;
  const settler = createSettler(commands);
  const sources = options.lists.map(
    (list): Source => ({
      list,
      inFlightKey: keys.inFlight(list, wid),
      blocker: createBlockingClient(options.redis, log),
      blocked: false,
      paused: false,
      refused: false,
      held: new Set(),
      suspects: new Map(),
    }),
  );
  let taken = 0;
  let stopping = false;
  let paused = false;
  let beats = 0;
  // Of the present turn:
  let turnEnds = false;
  let movedInTurn = false;
  let wasFull = false;
  // Of the claim script:
  let claiming = false;
  let busy = false;
  let fruitlessClaims = 0;
  let jobsSinceClaim = 0;
  let lastClaimReply = Number.NEGATIVE_INFINITY;

  const emit = (event: ConsumerEvent, list: string, count = 1) => options.onEvent?.(event, list, count);

  const room = (): number => Math.min(slots, options.allowance?.().slots ?? slots);
  const mayTake = (source: Source): boolean => options.allowance?.().mayTake(source.list) ?? true;

  // ── claiming ────────────────────────────────────────────────────────────────────────────────

  function mayClaim(): boolean {
    return !stopping && !paused && !claiming && taken < room() && options.isLeaseFresh();
  }

  function scheduleTurnEnd(): void {
    if (turnEnds) return;
    turnEnds = true;
    atTurnEnd('settle', endTurn);
  }

  function endTurn(): void {
    turnEnds = false;
    const hopeful = wasFull || busy || fruitlessClaims < hopefulClaims || jobsSinceClaim >= probeEvery;
    const worthAsking = movedInTurn && hopeful;
    movedInTurn = false;
    wasFull = false;
    if (!mayClaim()) return;
    if (worthAsking && !sources.some((source) => source.blocked)) void claim();
    else arm();
  }

  function arm(): void {
    if (!mayClaim()) return;
    for (const source of sources) {
      if (!source.blocked && !source.paused && mayTake(source)) void block(source);
    }
  }

  async function claim(): Promise<void> {
    claiming = true;
    jobsSinceClaim = 0;
    const asked = sources.filter(mayTake);
    const claimKeys = asked.flatMap((source) => [source.list, source.inFlightKey]);
    try {
      const reply = await runScript(commands, 'claim', claimKeys, [Math.min(room() - taken, maxClaim)]);
      const found = Array.isArray(reply) ? reply : [];
      lastClaimReply = performance.now();
      busy = found.length > 0;
      fruitlessClaims = busy ? 0 : fruitlessClaims + 1;
      for (let place = 0; place + 1 < found.length; place += 2) {
        const source = asked[Number(found[place])];
        const element = found[place + 1];
        if (source !== undefined && Buffer.isBuffer(element)) accept(source, element, false);
      }
    } catch (error) {
      // What it may have moved is for reconcile.
      busy = false;
      if (isRefusal(error)) log?.error({ error: String(error) }, 'cannot claim');
    }
    claiming = false;
    if (busy) scheduleTurnEnd();
    else arm();
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
      source.refused = false;
    } catch (error) {
      if (!stopping) pause(source, error);
    }
    source.blocked = false;
    if (element !== null) accept(source, element, false);
    scheduleTurnEnd();
  }

  function pause(source: Source, error: unknown): void {
    if (isRefusal(error) && !source.refused) {
      log?.error({ list: source.list, error: String(error) }, 'cannot claim from this list');
    }
    source.refused = isRefusal(error);
    source.paused = true;
    setTimeout(() => {
      source.paused = false;
      if (!isOutOfMemory(error)) arm();
      else if (mayClaim()) void claim();
    }, refusedPauseMs).unref();
  }

  function accept(source: Source, bytes: Buffer, adopted: boolean): void {
    const delivery: Delivery = {
      element: isUtf8(bytes) ? bytes.toString('utf8') : bytes,
      source: sources.indexOf(source),
      list: source.list,
      inFlightKey: source.inFlightKey,
      adopted,
    };
    source.held.add(delivery);
    // Two sources may each bring a job for the last slot; and a claim may come home after the stop, or in a pause.
    if (stopping || paused || (!adopted && (taken >= room() || !mayTake(source)))) {
      void released(delivery, settler.giveBack(delivery, source.list)).catch((error) =>
        log?.warn({ error: String(error) }, 'could not give a job back; reconcile will see'),
      );
      return;
    }
    taken += 1;
    movedInTurn = true;
    jobsSinceClaim += 1;
    emit(adopted ? 'adopted' : 'claimed', source.list);
    if (taken >= room()) unblock((other) => other !== source);
    else if (options.allowance !== undefined) unblock((other) => other !== source && !mayTake(other));
    options.deliver(delivery);
  }

  function unblock(which: (source: Source) => boolean): void {
    for (const source of sources) {
      if (source.blocked && which(source)) source.blocker.unblock(commands).catch(() => undefined);
    }
  }

  // ── settling ────────────────────────────────────────────────────────────────────────────────

  /** Frees the slot now, and forgets the delivery when Redis has answered. */
  function settled(delivery: Delivery, answer: Promise<SettleWord>): Promise<SettleWord> {
    wasFull ||= taken >= slots;
    taken -= 1;
    movedInTurn = true;
    scheduleTurnEnd();
    return released(delivery, answer);
  }

  async function released(delivery: Delivery, answer: Promise<SettleWord>): Promise<SettleWord> {
    try {
      const said = await answer;
      if (said === 'FENCED') emit('fenced', delivery.list);
      return said;
    } finally {
      sources[delivery.source]?.held.delete(delivery);
    }
  }

  // ── reconcile ───────────────────────────────────────────────────────────────────────────────

  async function reconcileSource(source: Source, always: boolean): Promise<void> {
    const length = await commands.llen(source.inFlightKey);
    if (length === source.held.size && source.suspects.size === 0 && !always) return;

    const elements = await commands.lrangeBuffer(source.inFlightKey, 0, -1);
    // Counted, because the same bytes may have been pushed twice.
    const known = new Map<string, number>();
    for (const { element } of source.held) known.set(nameOf(element), (known.get(nameOf(element)) ?? 0) + 1);
    const present = new Map<string, { count: number; bytes: Buffer }>();
    for (const bytes of elements) {
      const name = nameOf(isUtf8(bytes) ? bytes.toString('utf8') : bytes);
      present.set(name, { count: (present.get(name)?.count ?? 0) + 1, bytes });
    }
    const suspects = new Map<string, number>();
    for (const [name, { count, bytes }] of present) {
      const surplus = count - (known.get(name) ?? 0);
      if (surplus <= 0) continue;
      const proven = Math.min(surplus, source.suspects.get(name) ?? 0);
      for (let adopted = 0; adopted < proven; adopted += 1) accept(source, bytes, true);
      if (surplus > proven) suspects.set(name, surplus - proven);
    }
    source.suspects = suspects;
  }

  return {
    start: arm,
    handoff: (delivery, next, element) => settled(delivery, settler.handoff(delivery, next, element)),
    finish: (delivery, order) => settled(delivery, settler.finish(delivery, order)),
    retry: (delivery, order) => settled(delivery, settler.retry(delivery, order)),
    bury: (delivery, order) => settled(delivery, settler.bury(delivery, order)),
    giveBack: (delivery, id, url) =>
      settled(delivery, settler.giveBack(delivery, returnList(delivery.list), { id, url })),
    keepSlot() {
      taken += 1;
      let kept = true;
      return () => {
        if (!kept) return;
        kept = false;
        taken -= 1;
        scheduleTurnEnd();
      };
    },
    reconsider() {
      const full = taken >= room();
      unblock((source) => full || !mayTake(source));
      arm();
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
      paused || taken >= room() || performance.now() - lastClaimReply < withinMs
        ? []
        : sources
            .filter(mayTake)
            .filter((source) => (source.blocker.lastReturnAgeMs() ?? Number.POSITIVE_INFINITY) > withinMs)
            .map((source) => source.list),
    pause() {
      paused = true;
      unblock(() => true);
    },
    resume() {
      paused = false;
      arm();
    },
    held: () =>
      sources.reduce((sum, { held, blocked }) => sum + held.size + (blocked ? 1 : 0), claiming ? 1 : 0),
    stopClaiming() {
      stopping = true;
      for (const source of sources) source.blocker.close();
    },
    async giveBackRest() {
      let returned = 0;
      for (const { list, inFlightKey } of sources) {
        // From the tail, so that the order at the head of the list is the old one.
        const rest = await commands.lrangeBuffer(inFlightKey, 0, -1);
        for (const element of rest.reverse()) {
          const answer = await settler.giveBack({ inFlightKey, list, element }, returnList(list));
          if (answer === 'OK') returned += 1;
        }
        if (rest.length > 0) emit('returned', list, rest.length);
      }
      return returned;
    },
    close() {
      stopping = true;
      settler.close();
      for (const source of sources) source.blocker.close();
    },
  };
}

/** A name for bytes: texts are their own, others get a mark no text begins with. */
function nameOf(element: string | Buffer): string {
  return typeof element === 'string' ? element : `\uFFFF${element.toString('latin1')}`;
}
