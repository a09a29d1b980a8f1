import { keys, type Lane, returnList } from '../keys.ts';
import type { Dice } from './dice.ts';
import { justNow, type QueueModel } from './model.ts';
import {
  bareIds,
  type Call,
  farFuture,
  handIds,
  homeLists,
  idOf,
  inbox,
  inFlightOf,
  leaseMs,
  lists,
  obstructible,
  queryIds,
  replicaOf,
  replicas,
  type Worker,
  workers,
} from './universe.ts';

/**
 * Who acts on the queue, each as the code of src/ and libs/runtime does: submitters, workers, caretakers, time and
 * outsiders. Each looks at the model where the real one looks at Redis or remembers what it has in hand, and says
 * what it sends. Empty: there is nothing for it to do now. One piece, over 300 lines: each act is one method, and all
 * draw from one dice, so that a seed stays one game.
 */
export class Actors {
  readonly #model: QueueModel;
  readonly #dice: Dice;
  #count = 0;

  constructor(model: QueueModel, dice: Dice) {
    this.#model = model;
    this.#dice = dice;
  }

  /** A number that has not been before, ascending. */
  #next(): number {
    this.#count += 1;
    return this.#count;
  }

  #envelope(id: string): string {
    return `{"id":"${id}","enqueued_at":${this.#next()}}`;
  }

  /** As a settle writes it anew: other bytes of an envelope, a bare id as it is. `anywhere`: any replica may take it. */
  #changed(element: string, anywhere = false): string {
    if (!element.startsWith('{')) return element;
    const { replica, ...fields } = JSON.parse(element) as Record<string, unknown>;
    const kept = anywhere || replica === undefined ? {} : { replica };
    return JSON.stringify({ ...kept, ...fields, enqueued_at: this.#next() });
  }

  // ── submitters ──────────────────────────────────────────────────────────────────────────────

  admit(id = this.#dice.pick([...queryIds, ...bareIds]) ?? 'q0'): Call[] {
    const dice = this.#dice;
    const bare = bareIds.includes(id);
    const tracked = isTracked(id);
    // Whoever waits for an answer that is there takes it; only a bare id's job is opened anew before its time is up.
    if (this.#model.text(keys.completion(id)) !== undefined && !(bare && dice.chance(0.2))) return [];
    const candidates = bare || dice.chance(0.4) ? [] : dice.shuffled(replicas);
    const opening = bare ? '' : '{';
    const deadline = String(farFuture);
    const cap = dice.chance(0.1) ? '2' : '100';
    const fields = JSON.stringify([
      'id',
      id,
      'status',
      'queued',
      'progress',
      '0',
      'run',
      String(this.#next()),
    ]);
    return [
      {
        script: 'admit',
        keys: [
          keys.live(laneOf(id)),
          bare ? lists.ids : lists.first,
          lists.shared,
          tracked ? keys.job(id) : bare ? keys.none : keys.completion(id),
          keys.active,
          keys.recent,
          keys.pool,
          ...candidates.flatMap(({ url }) => [keys.leases(url), keys.load(url), keys.replica(url)]),
        ],
        args: [
          id,
          deadline,
          cap,
          opening,
          bare ? id : this.#envelope(id).slice(1),
          tracked ? fields : '',
          ...candidates.flatMap(({ name, url }) => [
            String(1 + dice.whole(2)),
            url,
            `"replica":{"worker_name":"${name}","url":"${url}"},`,
          ]),
        ],
      },
    ];
  }

  /** Nobody sees a part of a whole by itself: its id is not tracked. */
  admitOwed(): Call[] {
    const id = this.#dice.pick(queryIds.filter((one) => !isTracked(one))) ?? 'q0';
    if (this.#model.text(keys.completion(id)) !== undefined) return [];
    return [
      {
        script: 'admit-owed',
        keys: [keys.live(laneOf(id)), lists.first, keys.completion(id)],
        args: [id, String(farFuture), this.#envelope(id)],
      },
    ];
  }

  admitMany(): Call[] {
    const dice = this.#dice;
    const bare = dice.chance(0.5);
    const ids = (bare ? bareIds : queryIds.filter(isTracked)).filter(
      (id) => this.#model.text(keys.completion(id)) === undefined,
    );
    const some = dice.shuffled([...ids, ...ids]).slice(0, 1 + dice.whole(4));
    if (some.length === 0) return [];
    const fields = ['status', 'queued', 'progress', '0', 'run', String(this.#next())];
    return [
      {
        script: 'admit-many',
        keys: [
          keys.live(bare ? 'low' : 'interactive'),
          bare ? lists.ids : lists.first,
          keys.active,
          keys.recent,
          ...some.map((id) => keys.job(id)),
        ],
        args: [
          dice.chance(0.2) ? '2' : '100',
          JSON.stringify(fields),
          '3600',
          ...some.flatMap((id) => [
            id,
            String(farFuture),
            bare ? id : this.#envelope(id),
            dice.chance(0.5) ? '{"file":"a.txt"}' : '',
          ]),
        ],
      },
    ];
  }

  cancel(): Call[] {
    const id = this.#dice.pick([...queryIds, ...bareIds]) ?? 'q0';
    return [{ script: 'cancel', keys: [keys.cancelled, keys.cancelChannel], args: [id, String(leaseMs)] }];
  }

  readInbox(): Call[] {
    return [{ command: 'LPOP', args: [inbox, '128'] }];
  }

  // ── workers ─────────────────────────────────────────────────────────────────────────────────

  beat(worker = this.#dice.pick(workers) as Worker): Call[] {
    const members = JSON.stringify(membersOf(worker).map(({ member }) => member));
    const { replica } = worker;
    const state = this.#dice.chance(0.15) ? 'draining' : 'up';
    return [
      {
        script: 'beat',
        keys: [
          keys.workers,
          ...(replica === undefined
            ? []
            : [keys.replicas, keys.replica(replica.url), keys.leases(replica.url), keys.load(replica.url)]),
        ],
        args: [
          String(leaseMs),
          members,
          ...(replica === undefined ? [] : [replica.url, replica.name, '2', state, replica.list]),
        ],
      },
    ];
  }

  #whoFindsWork(): Worker {
    const found = workers.filter(({ lists }) => lists.some((list) => this.#model.list(list).length > 0));
    return (
      (this.#dice.chance(0.8) ? this.#dice.pick(found) : undefined) ?? (this.#dice.pick(workers) as Worker)
    );
  }

  /** Only whose lease is fresh claims. */
  claim(worker = this.#whoFindsWork(), want = 1 + this.#dice.whole(3)): Call[] {
    const mine = membersOf(worker);
    const fresh = mine.every(({ member }) => (this.#model.times(keys.workers).get(member) ?? -1) > 0);
    if (!fresh) return this.beat(worker);
    return [
      {
        script: 'claim',
        keys: mine.flatMap(({ list, key }) => [list, key]),
        args: [String(want)],
      },
    ];
  }

  /** Any worker, one thing that it has in hand (sometimes two). `onwards`: no ways but forward. */
  settle(onwards = false): Call[] {
    const dice = this.#dice;
    const busy = inFlightOf.filter(({ key }) => this.#model.list(key).length > 0);
    const place = dice.pick(busy);
    if (place === undefined) return [];
    const held = this.#model.list(place.key);
    const old = dice.pick(held) ?? '';
    const also = dice.chance(0.4) ? held.find((element) => idOf(element) !== idOf(old)) : undefined;
    const some = also === undefined ? [old] : [old, also];
    const fate = onwards ? dice.roll() * 0.6 : dice.roll();
    const next = nextOf(place.list, old);
    if (fate < 0.6 && next !== undefined && (fate < 0.4 || onwards)) {
      return [this.#handoff(place.key, next, some)];
    }
    if (fate < 0.6) return [this.#finish(place, some)];
    if (fate < 0.75) return [this.#retry(place, old)];
    if (fate < 0.85) return [this.#giveBack(place, old)];
    return [this.#bury(place, old, '')];
  }

  #handoff(inFlight: string, next: string, some: string[]): Call {
    const args = some.flatMap((element) => [element, this.#changed(element)]);
    return { script: 'handoff', keys: [inFlight, next], args };
  }

  #finish({ key, worker, list }: Place, some: string[]): Call {
    const fields = (id: string) =>
      JSON.stringify({ id, status: 'completed', completed_at: 'now', message: null });
    // What had ended before it was claimed has nobody to be told.
    const isOver = list === lists.ids && this.#dice.chance(0.1);
    return {
      script: 'finish',
      keys: [
        key,
        keys.live(list === lists.ids ? 'low' : 'interactive'),
        list === lists.ids ? keys.none : inbox,
        ...leaseKeys(worker.replica?.url ?? replicaOf(some[0] ?? '')),
        keys.active,
        ...some.flatMap((element) => [
          isOver ? keys.none : keys.completion(idOf(element)),
          jobKey(idOf(element)),
        ]),
      ],
      args: some.flatMap((element) => {
        const id = idOf(element);
        return [element, id, isOver ? '' : `{"id":"${id}","run":${this.#next()}}`, fields(id)];
      }),
    };
  }

  #retry({ key, worker, list }: Place, old: string): Call {
    const id = idOf(old);
    // Due at once, in the order they came, or only when time has passed.
    const delayMs = (this.#dice.chance(0.7) ? -1e9 : 1e9) + this.#next() * 10_000;
    const fields = { status: 'retrying', message: 'again', progress: '0' };
    return {
      script: 'retry',
      keys: [key, keys.retry(list), jobKey(id), ...leaseKeys(worker.replica?.url), keys.pool],
      args: [
        old,
        this.#changed(old, worker.replica !== undefined),
        String(delayMs),
        id,
        isTracked(id) ? JSON.stringify(fields) : '',
        0,
      ].map(String),
    };
  }

  #giveBack({ key, worker, list }: Place, old: string): Call {
    return {
      script: 'give-back',
      keys: [key, returnList(list), ...leaseKeys(worker.replica?.url)],
      args: [old, idOf(old)],
    };
  }

  #bury({ key, worker, list, member }: Place, old: string, deadWorker: string): Call {
    const id = idOf(old);
    const fields = { id, status: 'failed', completed_at: 'now', error_code: 'rejected' };
    return {
      script: 'bury',
      keys: [
        key,
        keys.dead(list),
        keys.completion(id),
        keys.live(laneOf(id)),
        bareIds.includes(id) ? keys.none : inbox,
        jobKey(id),
        ...leaseKeys(worker.replica?.url ?? replicaOf(old)),
        keys.workers,
        keys.active,
        keys.deadSize(list),
      ],
      args: [
        old,
        letterOf(old),
        id,
        `{"id":"${id}","dead":${this.#next()}}`,
        JSON.stringify(fields),
        deadWorker === '' ? '' : member,
      ],
    };
  }

  /** An operator takes a letter back, or throws it away; another may have done so already. */
  deadLetters(): Call[] {
    const dice = this.#dice;
    const list = dice.pick(homeLists) ?? lists.first;
    const letter = dice.pick(this.#model.list(keys.dead(list)));
    if (letter === undefined) return [];
    const letters = [keys.dead(list), keys.deadSize(list)];
    if (dice.chance(0.2)) return [{ script: 'drop-letter', keys: letters, args: [letter] }];
    const element = this.#changed(letter.slice(letterOf('').length));
    const id = idOf(element);
    const fields = { status: 'queued', progress: '0', error: null, error_code: null, completed_at: null };
    const redrive: Call = {
      script: 'redrive',
      keys: [
        ...letters,
        list,
        keys.live(laneOf(id)),
        keys.completion(id),
        keys.cancelled,
        jobKey(id),
        keys.active,
        keys.recent,
      ],
      args: [
        letter,
        element,
        id,
        String(farFuture),
        dice.chance(0.1) ? '2' : '100',
        JSON.stringify({ id, type: 'query', created_at: 'then' }),
        JSON.stringify(fields),
      ],
    };
    // Two at once: the second finds the letter gone.
    return dice.chance(0.2) ? [redrive, redrive] : [redrive];
  }

  /** A run begins: noted for the live view, its lease taken; or it goes on. */
  run(): Call[] {
    const dice = this.#dice;
    const busy = inFlightOf.filter(({ key }) => this.#model.list(key).length > 0);
    const place = dice.pick(busy);
    if (place === undefined) return [];
    const old = dice.pick(this.#model.list(place.key)) ?? '';
    const id = idOf(old);
    const { replica } = place.worker;
    if (replica !== undefined && dice.chance(0.6)) {
      if (dice.chance(0.3)) {
        const ids = this.#model.list(place.key).map(idOf);
        return [
          { script: 'renew-leases', keys: [keys.leases(replica.url)], args: [String(leaseMs), ...ids] },
        ];
      }
      const assigned = replicaOf(old);
      return [
        {
          script: 'start-lease',
          keys: [
            ...leaseKeys(replica.url),
            ...leaseKeys(assigned === replica.url ? undefined : assigned),
            keys.completion(id),
          ],
          args: [id, String(leaseMs)],
        },
      ];
    }
    if (!isTracked(id)) return [];
    if (dice.chance(0.4)) {
      const fields = { progress: String(dice.whole(100)), updated_at: String(this.#next()) };
      return [{ script: 'mark', keys: [keys.job(id)], args: [JSON.stringify(fields)] }];
    }
    const enter = bareIds.includes(id) || (handIds.includes(id) && place.list === lists.first);
    return [
      {
        script: 'begin',
        keys: [place.key, keys.live(laneOf(id)), keys.job(id), keys.active, keys.recent],
        args: [
          enter ? old : '',
          id,
          String(farFuture),
          JSON.stringify({ id, started_at: String(this.#next()) }),
          JSON.stringify({ status: 'processing', updated_at: String(this.#next()) }),
        ],
      },
    ];
  }

  drain(): Call[] {
    const worker = this.#dice.pick(workers) as Worker;
    const { replica } = worker;
    if (replica !== undefined && this.#dice.chance(0.5)) {
      return [{ script: 'return-list', keys: [replica.list, lists.shared], args: ['10000'] }];
    }
    const mine = membersOf(worker);
    return [
      {
        script: 'leave',
        keys: [
          keys.workers,
          keys.replicas,
          ...(replica === undefined
            ? [keys.none, keys.none, keys.none]
            : [keys.replica(replica.url), keys.leases(replica.url), keys.load(replica.url)]),
          ...mine.map(({ key }) => key),
        ],
        args: [replica?.url ?? '', ...mine.map(({ member }) => member)],
      },
    ];
  }

  // ── caretakers ──────────────────────────────────────────────────────────────────────────────

  promote(): Call[] {
    return homeLists
      .filter((list) => this.#model.times(keys.retry(list)).size > 0)
      .map((list) => ({ script: 'promote', keys: [keys.retry(list), list], args: ['16'] }));
  }

  /** Of one place, whether or not its worker has lapsed: the scripts must see for themselves. */
  reap(place = this.#dice.pick(inFlightOf) as Place): Call[] {
    const { key, list, member, worker } = place;
    const calls: Call[] = this.#model
      .list(key)
      .toReversed()
      .map((old) => {
        if (this.#dice.chance(0.15)) return this.#bury(place, old, member);
        const target = returnList(list);
        const moves = worker.replica !== undefined;
        return {
          script: 'reap-one',
          keys: [keys.workers, key, target, ...leaseKeys(moves ? replicaOf(old) : undefined)],
          args: [member, old, this.#changed(old, moves), this.#dice.chance(0.6) ? 'HEAD' : 'TAIL', idOf(old)],
        };
      });
    // Another caretaker may be faster, or this one may not come to its end.
    if (this.#dice.chance(0.3)) calls.length = this.#dice.whole(calls.length + 1);
    return [...calls, { script: 'forget-worker', keys: [keys.workers, key], args: [member] }];
  }

  adoptOrphans(): Call[] {
    return inFlightOf
      .filter(({ key }) => this.#dice.chance(0.1) || this.#model.list(key).length > 0)
      .map(({ key, member }) => ({
        script: 'adopt-orphan',
        keys: [keys.workers, key],
        args: [member, String(leaseMs)],
      }));
  }

  sweepReplicas(): Call[] {
    return replicas.map(({ url, list }) => ({
      script: 'sweep-replica',
      keys: [
        keys.replicas,
        keys.replica(url),
        keys.leases(url),
        keys.load(url),
        this.#model.hash(keys.replica(url)).get('list') ?? list,
        lists.shared,
      ],
      args: [url, '600000'],
    }));
  }

  expire(id = this.#dice.pick([...queryIds, ...bareIds]) ?? 'q0'): Call[] {
    const fields = { id, status: 'failed', completed_at: 'now', error_code: 'deadline_exceeded' };
    return [
      {
        script: 'expire-one',
        keys: [keys.live(laneOf(id)), keys.completion(id), keys.job(id), keys.active],
        args: [id, `{"id":"${id}","late":${this.#next()}}`, JSON.stringify(fields), '1500'],
      },
    ];
  }

  sweepActive(): Call[] {
    const ids = [...this.#model.set(keys.active)];
    if (ids.length === 0) return [];
    return [{ script: 'sweep-active', keys: [keys.active, ...ids.map((id) => keys.job(id))], args: ids }];
  }

  look(): Call[] {
    const list = this.#dice.pick(homeLists) ?? lists.first;
    const inFlight = inFlightOf.filter((place) => place.list === list).map(({ key }) => key);
    const lanes = [keys.live('interactive'), keys.live('low')];
    const inspect: Call = {
      script: 'inspect',
      keys: [list, keys.retry(list), keys.dead(list), ...inFlight],
      args: [],
    };
    if ([...this.#model.times(keys.replicas).values()].includes(justNow)) return [inspect];
    const registers = [keys.workers, keys.replicas, ...lanes];
    return [inspect, { script: 'overdue', keys: registers, args: ['1500', '100'] }];
  }

  // ── time and outsiders ──────────────────────────────────────────────────────────────────────

  pushByHand(): Call[] {
    const id = this.#dice.pick(handIds) ?? 'h0';
    return [{ command: 'RPUSH', args: [lists.first, this.#envelope(id)] }];
  }

  /** A lease, a deadline, a wait is over. */
  passTime(): Call[] {
    const registers = [
      keys.workers,
      keys.replicas,
      keys.cancelled,
      keys.live('interactive'),
      keys.live('low'),
      ...replicas.map(({ url }) => keys.leases(url)),
      ...homeLists.map((list) => keys.retry(list)),
    ].filter((key) => this.#model.times(key).size > 0);
    const key = this.#dice.pick(registers);
    const member = key === undefined ? undefined : this.#dice.pick([...this.#model.times(key).keys()]);
    return key === undefined || member === undefined ? [] : [this.#over(key, member)];
  }

  /** All of them are. */
  passAllTime(registers: readonly string[]): Call[] {
    return registers.flatMap((key) =>
      [...this.#model.times(key).keys()].map((member) => this.#over(key, member)),
    );
  }

  #over(key: string, member: string): Call {
    return { command: 'ZADD', args: [key, String(this.#next()), member] };
  }

  /** A completion's minute is over. */
  forget(): Call[] {
    const id = this.#dice.pick([...queryIds, ...handIds, ...bareIds]) ?? 'q0';
    return this.#model.text(keys.completion(id)) === undefined
      ? []
      : [{ command: 'DEL', args: [keys.completion(id)] }];
  }

  /** Something of another type where a list or a set of the queue belongs; taken away again. */
  obstruct(): Call[] {
    const standing = this.#model.obstacles();
    if (standing.length > 0) return this.clear();
    const key = this.#dice.pick(obstructible) ?? '';
    const free = this.#model.list(key).length + this.#model.times(key).size === 0;
    return free ? [{ command: 'SET', args: [key, 'obstacle', 'NX'] }] : [];
  }

  clear(): Call[] {
    return this.#model.obstacles().map((key) => ({ command: 'DEL', args: [key] }));
  }

  wipe(): Call[] {
    return [{ command: 'FLUSHDB', args: [] }];
  }
}

type Place = (typeof inFlightOf)[number];

const letterOf = (element: string) => `letter of ${element}`;

function membersOf(worker: Worker): Place[] {
  return inFlightOf.filter((place) => place.worker === worker);
}

function laneOf(id: string): Lane {
  return bareIds.includes(id) ? 'low' : 'interactive';
}

/** Half of the questions are asynchronous ones. */
function isTracked(id: string): boolean {
  return bareIds.includes(id) || handIds.includes(id) || ['q0', 'q2', 'q4'].includes(id);
}

function jobKey(id: string): string {
  return isTracked(id) ? keys.job(id) : keys.none;
}

function leaseKeys(url: string | undefined): [string, string] {
  return url === undefined ? [keys.none, keys.none] : [keys.leases(url), keys.load(url)];
}

/** Where a stage may pass its work on to; none at the chain's end. */
function nextOf(list: string, element: string): string | undefined {
  if (list === lists.first) return lists.second;
  if (list !== lists.second) return undefined;
  const assigned = replicas.find(({ url }) => url === replicaOf(element));
  return assigned?.list ?? lists.shared;
}
