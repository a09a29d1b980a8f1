import type { Metrics } from '@vortex/observability';
import type { Exchange } from './exchange.ts';
import { ClientGone, problemOf } from './problem.ts';

export type QueryMode = 'sync' | 'stream' | 'async';
export type QueryOutcome = 'ok' | 'refused' | 'rejected' | 'timeout' | 'cancelled' | 'error';

/** Counts questions, whichever route they came by. Every begin has one end. */
export interface QueryMeter {
  begin(): void;
  end(exchange: Exchange, mode: QueryMode, outcome: QueryOutcome): void;
}

export function createQueryMeter(metrics: Metrics): QueryMeter {
  let open = 0;
  return {
    begin() {
      open += 1;
      metrics.set('api_gateway_inflight_queries', {}, open);
    },
    end(exchange, mode, outcome) {
      open -= 1;
      metrics.set('api_gateway_inflight_queries', {}, open);
      metrics.add('api_gateway_queries_total', { outcome, mode });
      metrics.observe('api_gateway_query_latency_seconds', { outcome, mode }, exchange.elapsedMs() / 1000);
    },
  };
}

/** Runs a question's handler and counts how it ended; `failed` says it for what was thrown. */
export async function metered<Value extends { outcome: QueryOutcome }>(
  meter: QueryMeter,
  exchange: Exchange,
  mode: QueryMode,
  work: () => Promise<Value>,
): Promise<Value> {
  meter.begin();
  try {
    const value = await work();
    meter.end(exchange, mode, value.outcome);
    return value;
  } catch (error) {
    meter.end(exchange, mode, failedOutcome(error));
    throw error;
  }
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
