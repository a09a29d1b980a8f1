import type { PlannedRequest } from '../plan/deal-requests.ts';
import type { Sample } from '../sample-schema.ts';
import { emptyReply, type Reply, type Target } from '../target/target.ts';
import type { Clock } from './clock.ts';

/** Hears of every request; what it does must be quick. */
export interface RunListener {
  /** A request was due: it is sent now, or dropped. */
  due?(plannedMs: number): void;
  ended?(sample: Sample): void;
}

export interface Due {
  plannedMs: number;
  phase: Sample['phase'];
  step: number | null;
}

/** Sends single requests and writes down what became of them. */
export interface RequestRunner {
  readonly samples: readonly Sample[];
  readonly inFlight: number;
  /** Resolves when the answer is there. Never rejects. */
  send(request: PlannedRequest, due: Due): Promise<void>;
  drop(request: PlannedRequest, due: Due): void;
  /** Nothing is under way any more; documents that were accepted have been found, or given up. */
  settled(): Promise<void>;
  /**
   * Mean number in flight from the given moment until the last answer; counted, not derived from latencies. `only` leaves
   * the others out, and counts from the first of its own on: the probes of a search have pauses and warm-ups between them.
   */
  inFlightMean(fromMs: number, only?: (due: Due) => boolean): number;
}

export function createRequestRunner(options: {
  clock: Clock;
  target: Target;
  signal: AbortSignal;
  /** In the order of their keys. */
  tenantNames?: readonly string[];
  listener?: RunListener;
}): RequestRunner {
  const { clock, target, signal, tenantNames = [], listener = {} } = options;
  const samples: Sample[] = [];
  const underWay = new Set<Promise<unknown>>();
  /** In the order of time. */
  const changes: { atMs: number; by: 1 | -1; due: Due }[] = [];
  let inFlight = 0;

  function count(by: 1 | -1, due: Due): void {
    inFlight += by;
    changes.push({ atMs: clock.now(), by, due });
  }

  function write(
    request: PlannedRequest,
    due: Due,
    reply: Reply,
    times: Pick<Sample, 'sent_ms' | 'done_ms'>,
  ) {
    const { freshness, ...said } = reply;
    const sample: Sample = {
      n: request.n,
      kind: request.kind,
      phase: due.phase,
      step: due.step,
      tenant: request.tenant === null ? null : (tenantNames[request.tenant] ?? null),
      planned_ms: due.plannedMs,
      ...times,
      ...said,
      trace_id: request.traceId,
      freshness_ms: null,
    };
    samples.push(sample);
    if (freshness !== undefined) {
      track(
        freshness.then((ms) => {
          sample.freshness_ms = ms;
        }),
      );
    }
    listener.ended?.(sample);
  }

  function track(work: Promise<unknown>): void {
    underWay.add(work);
    work.finally(() => underWay.delete(work));
  }

  async function exchange(request: PlannedRequest, due: Due): Promise<void> {
    const sentMs = clock.now();
    count(1, due);
    const reply = await target.send(request, signal);
    const doneMs = clock.now();
    count(-1, due);
    if (reply !== null) write(request, due, reply, { sent_ms: sentMs, done_ms: doneMs });
  }

  return {
    samples,
    get inFlight() {
      return inFlight;
    },
    send(request, due) {
      listener.due?.(due.plannedMs);
      const work = exchange(request, due);
      track(work);
      return work;
    },
    drop(request, due) {
      listener.due?.(due.plannedMs);
      write(request, due, { ...emptyReply, outcome: 'dropped' }, { sent_ms: null, done_ms: null });
    },
    async settled() {
      while (underWay.size > 0) await Promise.all(underWay);
    },
    inFlightMean(fromMs, only) {
      const counted = only === undefined ? changes : changes.filter(({ due }) => only(due));
      const beginMs = only === undefined ? fromMs : Math.max(fromMs, counted[0]?.atMs ?? fromMs);
      const endMs = counted.at(-1)?.atMs ?? 0;
      if (endMs <= beginMs) return 0;
      let area = 0;
      let level = 0;
      for (const [index, { atMs, by }] of counted.entries()) {
        level += by;
        const nextMs = counted[index + 1]?.atMs ?? atMs;
        area += level * Math.max(0, nextMs - Math.max(atMs, beginMs));
      }
      return area / (endMs - beginMs);
    },
  };
}
