import { isUtf8 } from 'node:buffer';
import { maxDeliveries, stageOfList, stages } from '@vortex/contracts';
import type { Redis } from 'ioredis';
import { defaultLeaseMs } from './beat.ts';
import type { QueueLog } from './connect.ts';
import { deadLetterText } from './dead-letter.ts';
import { addTry, changeHeader, type ElementHeader, headerOnList, holdsIds } from './element.ts';
import { type Failure, failureFields, failureText } from './failure-text.ts';
import {
  inFlightPattern,
  keys,
  type Lane,
  readInFlightKey,
  readWorkerMember,
  returnList,
  workerMember,
  workerNameOf,
} from './keys.ts';
import { createRefusals } from './refusals.ts';
import { runScript, texts, word } from './scripts.ts';
import { buryKeys, leaseKeys } from './settler.ts';

/**
 * Looks after what nobody looks after any more, once a second, in every worker and every submitter. There
 * is no leader: each script checks again before it moves anything, so two caretakers do each move once.
 * One piece: all of it is one round, and its order matters.
 *
 * - A lapsed worker's jobs go back to their list (head first, tail the second time) with `redelivered` one
 *   higher; after `maxDeliveries` deliveries without an end a job is poison and goes to the dead list. (Of bare
 *   ids the stage's lane does that, with the registry's count.)
 * - A lapsed replica's own list goes back to the shared one; its expired leases go.
 * - What has ended without a word leaves the set of open tracked jobs (every thirtieth round).
 * - An id that is `graceMs` past its deadline is completed with `deadline_exceeded`.
 */
export interface Caretaker {
  /** One round; the timer calls it, and tests. Goes past what Redis refuses, and rejects with the first of that. */
  tick(): Promise<void>;
  stop(): Promise<void>;
}

export type CaretakerEvent = 'redelivered' | 'dead' | 'expired';

export interface CaretakerOptions {
  commands: Redis;
  tickMs?: number;
  /** The stage that holds the job ends it at the deadline itself; this is for those nobody holds. */
  graceMs?: number;
  leaseMs?: number;
  /** Every how many rounds in-flight lists without an owner are looked for (a SCAN of the key space), and open jobs that are none. */
  orphanRounds?: number;
  /** A replica that stays away this long is no longer shown. */
  forgetReplicaMs?: number;
  onEvent?: (event: CaretakerEvent, list: string) => void;
  log?: QueueLog;
}

/** Who had the jobs of a lapsed member. */
interface Holder {
  worker: string;
  inFlight: string;
  replica?: string;
}

export function startCaretaker(options: CaretakerOptions): Caretaker {
  const { commands, tickMs = 1000, graceMs = 1500, leaseMs = defaultLeaseMs, log } = options;
  const { forgetReplicaMs = 600_000, orphanRounds = 30 } = options;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  let running: Promise<void> = Promise.resolve();
  let rounds = 0;
  const refusals = createRefusals(log);

  async function tick(): Promise<void> {
    const reply = await refusals.past('overdue', keys.workers, () =>
      runScript(
        commands,
        'overdue',
        [keys.workers, keys.replicas, keys.live('interactive'), keys.live('low')],
        [graceMs, 100],
      ),
    );
    const [workers, replicas, live, low] = Array.isArray(reply) ? reply.map((entry) => texts(entry)) : [];
    for (const member of workers ?? []) await refusals.past('reap', member, () => reap(member));
    for (const url of replicas ?? []) await refusals.past('sweep', url, () => sweepReplica(url));
    for (const id of live ?? []) await refusals.past('expire', id, () => expire(id, 'interactive'));
    for (const id of low ?? []) await refusals.past('expire', id, () => expire(id, 'low'));
    rounds += 1;
    if (rounds % orphanRounds === 0) {
      await refusals.past('adopt', inFlightPattern, adoptOrphans);
      await refusals.past('sweep', keys.active, sweepActive);
    }
    refusals.throwFirst();
  }

  async function sweepActive(): Promise<void> {
    let cursor = '0';
    do {
      const [next, ids] = await commands.sscan(keys.active, cursor, 'COUNT', 500);
      cursor = next;
      if (ids.length === 0) continue;
      await runScript(commands, 'sweep-active', [keys.active, ...ids.map((id) => keys.job(id))], ids);
    } while (cursor !== '0');
  }

  /**
   * A wiped Redis forgets who is alive until the next beat; a worker that claims and dies in between leaves
   * an in-flight list without an owner. Such a list is registered as if its worker had just beaten: a live
   * one goes on, a dead one lapses and is reaped.
   */
  async function adoptOrphans(): Promise<void> {
    let cursor = '0';
    do {
      const [next, found] = await commands.scan(
        cursor,
        'MATCH',
        inFlightPattern,
        'COUNT',
        500,
        'TYPE',
        'list',
      );
      cursor = next;
      for (const key of found) {
        const worker = readInFlightKey(key);
        if (worker === null) continue;
        await runScript(
          commands,
          'adopt-orphan',
          [keys.workers, key],
          [workerMember(worker.list, worker.wid), leaseMs],
        );
      }
    } while (cursor !== '0');
  }

  async function reap(member: string): Promise<void> {
    const worker = readWorkerMember(member);
    if (worker === null) {
      await commands.zrem(keys.workers, member);
      return;
    }
    const inFlight = keys.inFlight(worker.list, worker.wid);
    const elements = await commands.lrangeBuffer(inFlight, 0, -1);
    if (elements.length > 0) {
      const holder = await holderOf(worker.list, worker.wid);
      // Each goes to the head, so the oldest must be the last to go.
      for (const element of elements.reverse())
        await refusals.past('reap', inFlight, () => reapOne(member, worker.list, holder, element));
    }
    await runScript(commands, 'forget-worker', [keys.workers, inFlight], [member]);
  }

  /** Whom the story of the lost run names; of a generator its replica, which is known for a while after its last beat. */
  async function holderOf(list: string, wid: string): Promise<Holder> {
    const worker = workerNameOf(wid);
    const inFlight = keys.inFlight(list, wid);
    if (stageOfList(list) !== 'generate') return { worker, inFlight };
    for (const url of await commands.zrange(keys.replicas, '0', '-1')) {
      const [name, ownList] = await commands.hmget(keys.replica(url), 'worker_name', 'list');
      if (name === worker || ownList === list) return { worker: name ?? worker, inFlight, replica: url };
    }
    return { worker, inFlight };
  }

  async function reapOne(
    member: string,
    list: string,
    { worker, inFlight, replica }: Holder,
    bytes: Buffer,
  ): Promise<void> {
    const text = isUtf8(bytes) ? bytes.toString('utf8') : null;
    const header = text === null ? null : headerOnList(list, text);
    const redelivered = (header?.redelivered ?? 0) + 1;
    if (header !== null && redelivered >= maxDeliveries) {
      await buryPoison(member, list, inFlight, bytes, header);
      return;
    }
    // Elements without a readable header go back as they are: the stage buries them with the reason.
    const target = returnList(list);
    const moved = target !== list || list === keys.sharedGeneratorList;
    const track = header?.track === true ? { track: true } : {};
    const tries = addTry(header?.tries, {
      ...{ kind: 'lost' as const, stage: stageOfList(list), worker },
      ...(replica !== undefined && { replica }),
      reason: 'its worker stopped beating',
    });
    const changes = { id: header?.id, ...track, redelivered, tries, ...(moved && { replica: undefined }) };
    const answer = await runScript(
      commands,
      'reap-one',
      [keys.workers, inFlight, target, ...leaseKeys(moved ? header?.replica?.url : undefined)],
      [
        member,
        bytes,
        text === null || header === null ? bytes : changeHeader(text, changes),
        redelivered === 1 ? 'HEAD' : 'TAIL',
        header?.id ?? '',
      ],
    );
    if (word(answer) !== 'OK') return;
    options.onEvent?.('redelivered', list);
    log?.warn(
      { job_id: header?.id, list, redelivered },
      'a job came back from a worker that stopped beating',
    );
  }

  async function buryPoison(
    member: string,
    list: string,
    inFlight: string,
    bytes: Buffer,
    header: ElementHeader,
  ): Promise<void> {
    const stage = stageOfList(list);
    const reason = `its worker died or froze on each of ${maxDeliveries} deliveries`;
    const failure: Failure = {
      id: header.id,
      code: 'poison',
      message: reason,
      stage,
      attempt: header.attempt + header.redelivered,
      timingsMs: header.timingsMs,
    };
    const letter = deadLetterText(
      {
        id: header.id,
        queue: list,
        stage,
        // What is on a list of ids is whose its job in the registry is.
        ...(header.tenant !== undefined && !holdsIds(list) && { tenant: header.tenant }),
        code: 'poison',
        reason,
        attempts: header.attempt + header.redelivered,
        first_at: header.firstAt ?? null,
      },
      bytes,
    );
    const answer = await runScript(
      commands,
      'bury',
      buryKeys({
        ...{ inFlightKey: inFlight, list, id: header.id, lane: laneOf(list), replyTo: header.replyTo },
        ...{ isTracked: header.track, replicaUrl: header.replica?.url },
      }),
      [bytes, letter, header.id, failureText(failure), failureFields(failure), member],
    );
    if (word(answer) !== 'OK') return;
    options.onEvent?.('dead', list);
    log?.error({ job_id: header.id, list }, 'poison: the job ended its worker too often and was buried');
  }

  async function sweepReplica(url: string): Promise<void> {
    const list = await commands.hget(keys.replica(url), 'list');
    await runScript(
      commands,
      'sweep-replica',
      [
        keys.replicas,
        keys.replica(url),
        keys.leases(url),
        keys.load(url),
        // Without a hash there is no list to return; the shared list onto itself would spin in place.
        list ?? `${keys.sharedGeneratorList}:unknown`,
        keys.sharedGeneratorList,
      ],
      [url, forgetReplicaMs],
    );
  }

  async function expire(id: string, lane: Lane): Promise<void> {
    const failure: Failure = {
      id,
      code: 'deadline_exceeded',
      message: 'the deadline passed while no stage had the job in hand',
      stage: null,
      attempt: 1,
      timingsMs: {},
    };
    const answer = await runScript(
      commands,
      'expire-one',
      [keys.live(lane), keys.completion(id), keys.job(id), keys.active],
      [id, failureText(failure), failureFields(failure), graceMs],
    );
    if (word(answer) === 'OK') options.onEvent?.('expired', keys.live(lane));
  }

  function schedule(): void {
    if (stopped) return;
    // Spread, so that the caretakers of many processes do not all ask at once.
    timer = setTimeout(
      () => {
        running = tick()
          .catch((error) =>
            log?.debug({ error: String(error) }, 'caretaker round failed; the next one follows'),
          )
          .then(schedule);
      },
      tickMs * (0.8 + Math.random() * 0.4),
    );
    timer.unref();
  }
  if (tickMs > 0) schedule();

  return {
    tick,
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}

function laneOf(list: string): Lane {
  const stage = stageOfList(list);
  return stage === null ? 'interactive' : stages[stage].lane;
}
