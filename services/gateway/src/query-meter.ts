import type { CacheOutcome } from '@vortex/contracts';
import type { LabelsOf, Metrics } from '@vortex/observability';
import type { Exchange } from './exchange.ts';
import { ClientGone, problemOf } from './problem.ts';

type Labels = LabelsOf<'api_gateway_queries_total'>;
export type QueryMode = Labels['mode'];
export type QueryOutcome = Labels['outcome'];

/** Counts questions, whichever route they came by. Every begin has one end. */
export interface QueryMeter {
  begin(): void;
  /** `cache`: of an answer, where it came from; nothing else is kept. */
  end(exchange: Exchange, mode: QueryMode, outcome: QueryOutcome, cache?: CacheOutcome): void;
}

export function createQueryMeter(metrics: Metrics): QueryMeter {
  let open = 0;
  return {
    begin() {
      open += 1;
      metrics.set('api_gateway_inflight_queries', {}, open);
    },
    end(exchange, mode, outcome, cache) {
      open -= 1;
      metrics.set('api_gateway_inflight_queries', {}, open);
      metrics.add('api_gateway_queries_total', { outcome, mode });
      const from = cache === 'hit' || cache === 'shared' ? cache : 'miss';
      metrics.observe(
        'api_gateway_query_latency_seconds',
        { outcome, mode, cache: from },
        exchange.elapsedMs() / 1000,
        exchange.traceId,
      );
    },
  };
}

/** Runs a question's handler and counts how it ended; `failed` says it for what was thrown. */
export async function metered<Value extends { outcome: QueryOutcome; cache?: CacheOutcome }>(
  meter: QueryMeter,
  exchange: Exchange,
  mode: QueryMode,
  work: () => Promise<Value>,
): Promise<Value> {
  meter.begin();
  try {
    const value = await work();
    meter.end(exchange, mode, value.outcome, value.cache);
    return value;
  } catch (error) {
    meter.end(exchange, mode, failedOutcome(error));
    throw error;
  }
}

/** Of an answer that was given. */
export function answeredOutcome(answer: {
  answered: boolean;
  degraded: readonly string[];
}): 'ok' | 'degraded' | 'refused' {
  if (!answer.answered) return 'refused';
  return answer.degraded.length > 0 ? 'degraded' : 'ok';
}

export function failedOutcome(error: unknown): QueryOutcome {
  if (error instanceof ClientGone) return 'cancelled';
  const problem = problemOf(error)?.problem;
  if (problem === undefined) return 'error';
  if (problem.status === 504) return 'timeout';
  if (problem.status === 499) return 'cancelled';
  // Refused at the door, whatever the reason: nothing was begun.
  if (problem.status < 500 || problem.status === 503) return 'rejected';
  return 'error';
}
