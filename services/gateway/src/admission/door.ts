import { gatewayProblem, type HttpProblem, retryAfter } from '../problem.ts';
import type { ReplicaSnapshot } from '../replica-snapshot.ts';
import { ServiceRate } from './service-rate.ts';

/**
 * Refuses a question that could not be answered in time, before it costs anything: an overload then ends when the
 * overload ends, because nobody works on answers that nobody waits for any more. Without Redis and without a
 * lock: by Little's law a gateway's own questions under way over its own answers per second is the time a new one
 * will take, however many gateways share the chain.
 *
 *   no replica has beaten for ten seconds     503 no_capacity; until then a question waits in the shared list
 *   slots are free                            in
 *   predicted time beyond what is left of it  503 overloaded, to come back when the queue has drained so far
 *
 * The cap by count stands behind it, in admit (503 queue_full).
 */
export interface Door {
  /** @throws HttpProblem 503 */
  enter(question: { remainingMs: number }): Visit;
  /** For who does not wait for the answer. @throws HttpProblem 503 `no_capacity` */
  assertCapacity(): void;
}

export interface Visit {
  /** Once, however it ended; `generationMs` when a model answered. */
  leave(end: { answered: boolean; generationMs?: number | undefined }): void;
}

/** The prediction is a mean: who is let in with less than a fifth to spare may still come too late. */
const usableShare = 0.8;

export function createDoor(options: {
  replicas: Pick<ReplicaSnapshot, 'capacity'>;
  now?: () => number;
}): Door {
  const { replicas, now = () => performance.now() } = options;
  const rate = new ServiceRate();
  let underWay = 0;

  return {
    assertCapacity() {
      if (replicas.capacity().isGone) throw noCapacity();
    },
    enter({ remainingMs }) {
      const { slots, isGone } = replicas.capacity();
      if (isGone) throw noCapacity();
      rate.advance(now(), underWay, slots);
      const perMs = rate.perMs(slots);
      if (perMs !== null && underWay >= slots) {
        const predictedMs = (underWay + 1) / perMs;
        const excessMs = predictedMs - usableShare * remainingMs;
        if (excessMs > 0) throw overloaded(predictedMs, excessMs);
      }
      underWay += 1;
      rate.advance(now(), underWay, slots);
      let inside = true;
      return {
        leave({ answered, generationMs }) {
          if (!inside) return;
          inside = false;
          const at = now();
          rate.advance(at, underWay, slots);
          if (answered) rate.answered(generationMs);
          underWay -= 1;
          rate.advance(at, underWay, replicas.capacity().slots);
        },
      };
    },
  };
}

function noCapacity(): HttpProblem {
  return gatewayProblem('no_capacity', {
    detail: 'No generator replica has been heard of for ten seconds. Nothing was queued.',
    ...retryAfter(5000),
  });
}

function overloaded(predictedMs: number, excessMs: number): HttpProblem {
  const seconds = (predictedMs / 1000).toFixed(1);
  return gatewayProblem('overloaded', {
    detail: `An answer would take about ${seconds} s just now, longer than its deadline allows. Nothing was queued.`,
    ...retryAfter(Math.min(30_000, Math.max(1000, excessMs))),
  });
}
