import type { ServiceConfig } from '@vortex/config';
import type { LabelsOf, Logger, Metrics } from '@vortex/observability';
import {
  type DeliveryOutcome,
  type DueDelivery,
  derivedWebhookSecret,
  type Registry,
  readWebhookRules,
} from '@vortex/registry';
import { createGuardedDispatchers, type GuardedDispatchers } from './public-agent.ts';
import { retryDelayMs } from './retry-delay.ts';
import { type Sent, sendDelivery } from './send-delivery.ts';
import { watchQueries } from './watch-queries.ts';

/**
 * Empties the registry's outbox. Per delivery:
 *
 *   due ──claimed (leased)──► sent ──► settled: delivered, later again, or given up
 *                        └─ this process dies, or stops: the lease ends, and somebody sends it (again)
 *
 * At least once, then; the event's id, `webhook-id`, is the same every time and tells a receiver what it has had.
 *
 * As many as `concurrency` are under way, of which one receiver (origin) has at most two: one that hangs keeps two
 * places for `timeoutMs`, and what else is due for it is not claimed meanwhile. What one claim brought beyond the
 * two waits here behind them, under its lease.
 */
export interface DelivererDeps {
  registry: Pick<
    Registry,
    | 'claimDeliveries'
    | 'settleDelivery'
    | 'signingKey'
    | 'forgetOldDeliveries'
    | 'watchedQueries'
    | 'endWatchedQuery'
  >;
  /** The live view of jobs: fields of the hash, null when there is none. */
  jobs: { jobStatus(id: string): Promise<Record<string, string> | null> };
  settings: ServiceConfig<'ingest'>['webhooks'];
  log: Logger;
  metrics: Metrics;
  /** Tests give their own where time or addresses matter. */
  pollMs?: number;
  delayMs?: typeof retryDelayMs;
  dispatchers?: GuardedDispatchers;
  now?: () => number;
  /** How long a stop waits for what is under way. */
  stopPatienceMs?: number;
}

export interface WebhookDeliverer {
  /** Waits a moment for what is under way, then leaves it to whoever comes next. */
  stop(): Promise<void>;
}

const concurrency = 8;
const perOrigin = 2;
const keepDeliveriesMs = 30 * 24 * 3_600_000;

export function startWebhookDeliverer(deps: DelivererDeps): WebhookDeliverer {
  const { registry, settings, log, metrics, pollMs = 500, delayMs = retryDelayMs, now = Date.now } = deps;
  const { stopPatienceMs = 2000 } = deps;
  const { timeout_ms: timeoutMs, max_attempts: maxAttempts } = settings;
  const rules = readWebhookRules(settings.allow);
  const dispatchers = deps.dispatchers ?? createGuardedDispatchers(rules, { connectTimeoutMs: timeoutMs });
  // One claim brings at most `concurrency` for one receiver, who gets them two by two.
  const leaseMs = (concurrency / perOrigin + 1) * timeoutMs + 30_000;
  const receivers = new Map<string, Receiver>();
  const running = new Set<Promise<void>>();
  const stopping = new AbortController();
  const aborting = new AbortController();
  let wake = () => {};
  let forgetAt = 0;

  // ── claiming ────────────────────────────────────────────────────────────────────────────────

  async function round(): Promise<boolean> {
    if (now() >= forgetAt) {
      await registry.forgetOldDeliveries(now() - keepDeliveriesMs);
      forgetAt = now() + 3_600_000;
    }
    const limit = concurrency - running.size;
    if (limit <= 0) return false;
    const busy = [...receivers].filter(([, one]) => one.sending >= perOrigin).map(([origin]) => origin);
    const claimedAt = now();
    const due = await registry.claimDeliveries({ leaseMs, limit, exceptOrigins: busy });
    for (const delivery of due) {
      const origin = originOf(delivery.url);
      const receiver = receivers.get(origin) ?? { sending: 0, waiting: [] };
      receivers.set(origin, receiver);
      receiver.waiting.push({ ...delivery, leasedUntil: claimedAt + leaseMs });
      if (receiver.sending < perOrigin) serve(origin, receiver);
    }
    return due.length === limit;
  }

  /** Sends what waits for one receiver, one after the other; two of these run per receiver at most. */
  function serve(origin: string, receiver: Receiver): void {
    receiver.sending += 1;
    const work = (async () => {
      for (;;) {
        const next = receiver.waiting.shift();
        if (next === undefined || stopping.signal.aborted) break;
        // Behind a slow one for too long: it is somebody else's by now.
        if (next.leasedUntil - now() > timeoutMs) await attempt(next);
      }
    })().finally(() => {
      running.delete(work);
      receiver.sending -= 1;
      if (receiver.sending === 0 && receiver.waiting.length === 0) receivers.delete(origin);
      wake();
    });
    running.add(work);
  }

  // ── one delivery ────────────────────────────────────────────────────────────────────────────

  async function attempt(delivery: DueDelivery): Promise<void> {
    const about = { delivery_id: delivery.id, event_id: delivery.eventId, attempt: delivery.attempt };
    try {
      const secret =
        delivery.secret ?? derivedWebhookSecret(await registry.signingKey(), delivery.tenant, delivery.url);
      const sent = await sendDelivery(
        { ...delivery, secret },
        { rules, dispatchers, timeoutMs, stop: aborting.signal, now },
      );
      const outcome = outcomeOf(delivery, sent);
      await registry.settleDelivery(delivery.id, outcome);
      const label = labelOf(sent, outcome);
      metrics.add('rag_webhook_deliveries_total', { outcome: label });
      if (outcome.state === 'delivered') log.debug({ ...about, type: delivery.type }, 'webhook delivered');
      else log.warn({ ...about, type: delivery.type, reason: outcome.error }, `webhook ${label}`);
    } catch (error) {
      if (aborting.signal.aborted) return;
      log.warn(
        { ...about, err: error },
        'a webhook delivery could not be settled; its lease ends, and it is sent again',
      );
    }
  }

  function outcomeOf(delivery: DueDelivery, sent: Sent): DeliveryOutcome {
    if (sent.kind === 'delivered') return { state: 'delivered', statusCode: sent.statusCode };
    const { error } = sent;
    if (sent.kind === 'blocked') return { state: 'failed', statusCode: null, error };
    const { statusCode } = sent;
    if (sent.kind === 'gone') return { state: 'failed', statusCode, error };
    if (delivery.attempt >= maxAttempts) {
      return { state: 'failed', statusCode, error: `${error}; given up after ${delivery.attempt} attempts` };
    }
    const nextAttemptAt = now() + delayMs(delivery.attempt, sent.retryAfterMs);
    return { state: 'pending', statusCode, error, nextAttemptAt };
  }

  // ── the loop ────────────────────────────────────────────────────────────────────────────────

  async function live(): Promise<void> {
    let failing = false;
    while (!stopping.signal.aborted) {
      const woken = new Promise<void>((resolve) => {
        wake = resolve;
      });
      let more = false;
      try {
        more = await round();
        failing = false;
      } catch (error) {
        // A registry that is away is said once, not twice a second.
        log[failing ? 'debug' : 'warn'](
          { err: error },
          'the outbox of webhooks could not be read; it is tried again',
        );
        failing = true;
      }
      if (!more || running.size >= concurrency) await either(woken, pollMs);
    }
  }

  const watch = watchQueries({ registry, jobs: deps.jobs, log, now, everyMs: pollMs, told: () => wake() });
  const loop = live();
  let stopped: Promise<void> | undefined;

  async function stop(): Promise<void> {
    stopping.abort();
    wake();
    await watch.stop();
    await loop;
    await either(Promise.all(running), stopPatienceMs);
    aborting.abort();
    await Promise.all(running);
    if (deps.dispatchers === undefined) await dispatchers.close();
  }
  return {
    stop() {
      stopped ??= stop();
      return stopped;
    },
  };
}

interface Receiver {
  sending: number;
  waiting: (DueDelivery & { leasedUntil: number })[];
}

/** As it is written, for the registry compares what stands in its rows. */
function originOf(url: string): string {
  return /^[^:]*:\/\/[^/?#\\]*/.exec(url)?.[0] ?? url;
}

function labelOf(sent: Sent, outcome: DeliveryOutcome): LabelsOf<'rag_webhook_deliveries_total'>['outcome'] {
  if (sent.kind === 'blocked') return 'blocked';
  return outcome.state === 'pending' ? 'retried' : outcome.state;
}

async function either(work: Promise<unknown>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const waited = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work, waited]);
  clearTimeout(timer);
}
