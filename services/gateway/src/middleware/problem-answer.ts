import type { Problem } from '@vortex/contracts';
import type { LabelsOf, Logger, Metrics } from '@vortex/observability';
import { type Exchange, jsonAnswer } from '../exchange.ts';
import { openAiError } from '../openai-error.ts';
import { ClientGone, type HttpProblem, internalProblem, problemOf } from '../problem.ts';

/** Problems that mean: not now, or not so much. */
const refusals: Record<string, LabelsOf<'api_gateway_admission_rejected_total'>['reason']> = {
  overloaded: 'overloaded',
  no_capacity: 'no_capacity',
  queue_full: 'queue_full',
  queue_unavailable: 'unavailable',
  registry_unavailable: 'unavailable',
  rate_limited: 'limit',
  quota_exceeded: 'limit',
  too_many_concurrent: 'limit',
  body_too_large: 'too_large',
  file_too_large: 'too_large',
  storage_full: 'storage_full',
};

/** What failed, as its client reads it; what nobody expected is logged and told as `internal`. */
export function answerFor(
  error: unknown,
  exchange: Exchange,
  { log, metrics }: { log: Logger; metrics: Metrics },
): Response {
  // 499 is what the log and the metrics show; the client that would read it has left.
  if (error instanceof ClientGone) return new Response(null, { status: 499 });
  let failure = problemOf(error);
  if (failure === null) {
    log.error({ err: error, request_id: exchange.requestId, route: exchange.route }, 'request failed');
    failure = internalProblem();
  }
  const reason = refusals[failure.problem.code];
  if (reason !== undefined) metrics.add('api_gateway_admission_rejected_total', { reason });
  return problemAnswer(failure, exchange);
}

function problemAnswer(failure: HttpProblem, exchange: Exchange): Response {
  const problem = problemFor(failure, exchange);
  const headers = {
    ...failure.headers,
    ...(problem.id !== undefined && { 'X-Vortex-Query-Id': problem.id }),
  };
  if (exchange.path.startsWith('/v1/')) {
    const { status, body } = openAiError(problem);
    return jsonAnswer(exchange, body, status, headers);
  }
  return jsonAnswer(exchange, problem, problem.status, {
    ...headers,
    'Content-Type': 'application/problem+json',
  });
}

/** The problem as this exchange's client reads it, in a document or in a stream's `error` event. */
export function problemFor(failure: HttpProblem, exchange: Exchange): Problem {
  exchange.toldTotalMs = failure.problem.timings_ms?.total;
  return {
    ...failure.problem,
    instance: exchange.path,
    request_id: exchange.requestId,
    ...(exchange.queryId !== undefined && { id: exchange.queryId }),
  };
}
