import type { TimingsMs } from '@vortex/contracts';
import { gatewayProblem, type HttpProblem, retryAfter } from '../problem.ts';
import type { ReplicaSnapshot } from '../replica-snapshot.ts';
import { ChainWindow } from './chain-window.ts';
import { ServiceRate } from './service-rate.ts';
import { createTenantTurns } from './tenant-turns.ts';

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
 * Tenants with keys then take turns (tenant-turns.ts). The cap by count stands behind it, in admit (503 queue_full).
 */
export interface Door {
  /** A promise where it has to wait for its tenant's turn. @throws HttpProblem 503; AbortError */
  enter(question: Asking): Visit | Promise<Visit>;
  /** For who does not wait for the answer. @throws HttpProblem 503 `no_capacity` */
  assertCapacity(): void;
}

export interface Asking {
  remainingMs: number;
  /** Of a key: it shares the chain with others, by turns. Absent: the instance has one tenant, and no turns. */
  tenant?: string | undefined;
  /** Fires when nobody waits any more. */
  signal?: AbortSignal;
  /** False: no model is asked, so slots and their pace say nothing of it. */
  generates?: boolean;
}

export interface Visit {
  /** Once, however it ended; with the chain's timings if it was answered. */
  leave(end: { timings?: TimingsMs | undefined }): void;
}

/** The prediction is a mean: who is let in with less than a fifth to spare may still come too late. */
const usableShare = 0.8;

export function createDoor(options: {
  replicas: Pick<ReplicaSnapshot, 'capacity'>;
  now?: () => number;
}): Door {
  const { replicas, now = () => performance.now() } = options;
  const rate = new ServiceRate();
  const window = new ChainWindow();
  const turns = createTenantTurns({ width: () => window.width(replicas.capacity().slots), now });
  let underWay = 0;

  /** @throws HttpProblem 503 `overloaded` */
  function assertInTime({ remainingMs, tenant }: Asking, slots: number): void {
    rate.advance(now(), underWay, slots);
    const perMs = rate.perMs(slots);
    if (perMs === null || underWay < slots) return;
    let predictedMs = (underWay + 1) / perMs;
    if (tenant !== undefined) {
      // In a chain that is shared a tenant waits behind its own, at the pace of its part; below its part, for nobody.
      const { own, part, share, isShared } = turns.standing(tenant);
      if (isShared && own < part) return;
      if (isShared) predictedMs = (own + 1) / (perMs * share);
    }
    const excessMs = predictedMs - usableShare * remainingMs;
    if (excessMs > 0) throw overloaded(predictedMs, excessMs);
  }

  function visit({ tenant, generates = true }: Asking): Visit {
    let inside = true;
    const letInAt = now();
    return {
      leave({ timings }) {
        if (!inside) return;
        inside = false;
        const at = now();
        const { slots } = replicas.capacity();
        if (generates) {
          rate.advance(at, underWay, slots);
          if (timings !== undefined) rate.answered(timings.generate);
          underWay -= 1;
          rate.advance(at, underWay, slots);
        }
        if (timings !== undefined)
          window.answered({ tookMs: at - letInAt, timings }, at, slots, turns.hasLine());
        if (tenant !== undefined) turns.leave(tenant);
      },
    };
  }

  function begin({ generates = true }: Asking, slots: number): void {
    if (!generates) return;
    underWay += 1;
    rate.advance(now(), underWay, slots);
  }

  function takeBack({ generates = true }: Asking): void {
    if (!generates) return;
    rate.advance(now(), underWay, replicas.capacity().slots);
    underWay -= 1;
  }

  return {
    assertCapacity() {
      if (replicas.capacity().isGone) throw noCapacity();
    },
    enter(asking) {
      const { tenant, signal = never, generates = true } = asking;
      const { slots, isGone } = replicas.capacity();
      if (generates) {
        if (isGone) throw noCapacity();
        assertInTime(asking, slots);
      }
      // Who waits for a turn is under way too: by its number the time is told that a newcomer would take.
      begin(asking, slots);
      const turn = tenant === undefined ? null : turns.enter(tenant, signal);
      if (turn === null) return visit(asking);
      return turn.then(
        () => visit(asking),
        (error: unknown) => {
          takeBack(asking);
          throw error;
        },
      );
    },
  };
}

const never = new AbortController().signal;

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
