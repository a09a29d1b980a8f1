import type { Problem } from '@vortex/contracts';
import type { LabelsOf, Logger, Metrics, TraceSpan, Tracing } from '@vortex/observability';
import type { RequestLimits } from '@vortex/queue';
import { type Access, type Caller, mayUse } from '../access/caller.ts';
import type { Gatekeeper } from '../access/gatekeeper.ts';
import { missingScope } from '../access/missing-scope.ts';
import type { Endpoint } from '../endpoint.ts';
import { Exchange, type GatewayContext, jsonAnswer } from '../exchange.ts';
import { limitRequest } from '../limits/limit-requests.ts';
import { openAiError } from '../openai-error.ts';
import { ClientGone, type HttpProblem, internalProblem, problemOf, unknownRoute } from '../problem.ts';
import type { AuditTrail } from '../records/audit-trail.ts';
import type { BrowserPolicy } from '../transport/browser-policy.ts';
import { drainUnread } from './drain-unread.ts';

export interface ExchangeObservers {
  gatekeeper: Gatekeeper;
  limits: RequestLimits;
  log: Logger;
  metrics: Metrics;
  tracing?: Tracing;
  browsers: BrowserPolicy;
  /** 0: what is for administrators is on the same port as everything else. */
  adminPort: number;
  audit: AuditTrail;
}

/**
 * What surrounds every route, in one function so that Hono runs one handler and no middleware chain:
 * the exchange is opened, errors become problem documents, unread bodies are drained, and the end is
 * counted and logged (never the question's text).
 */
export function serveEndpoint(
  endpoint: Pick<Endpoint, 'path' | 'access' | 'handle' | 'quiet' | 'asks'> & { method?: Endpoint['method'] },
  observers: ExchangeObservers,
): (context: GatewayContext) => Promise<Response> {
  const level = endpoint.quiet === true ? 'debug' : 'info';
  const requestLog = observers.log.child({}, { redact: [] });
  const { method, path, access } = endpoint;
  const isAct = method !== undefined && observers.audit.covers({ method, path, access });
  return async (context) => {
    const exchange = new Exchange(context, endpoint.path);
    if (observers.tracing !== undefined && endpoint.quiet !== true)
      exchange.span = beginRequestSpan(observers.tracing, context, exchange);
    const end = (status: number) => {
      exchange.release?.('all');
      exchange.release = undefined;
      // A child keeps the level it was made with; the parent's may have been changed since (log-level.ts).
      if (requestLog.level !== observers.log.level) requestLog.level = observers.log.level;
      reportEnd(exchange, status, level, requestLog, observers.metrics);
    };
    exchange.onEnd = end;
    exchange.policyHeaders = observers.browsers.headersFor(context);
    let response: Response;
    try {
      if (isElsewhere(context, endpoint, observers.adminPort)) throw unknownRoute(exchange);
      const caller = callerFor(endpoint.access, context, observers.gatekeeper);
      // Hardly ever a promise, and a turn of the event loop is not for nothing.
      exchange.caller = caller instanceof Promise ? await caller : caller;
      // Probes are asked under any name, and tell nothing.
      const isProbe = endpoint.quiet === true && endpoint.access === 'open';
      if (isOpenHouse(exchange.caller) && !isProbe) observers.browsers.assertWelcome(context);
      if (!mayUse(exchange.caller, endpoint.access)) throw missingScope(endpoint.access);
      if (exchange.caller.limits !== null && endpoint.asks !== true && endpoint.access !== 'open')
        await limitRequest(observers.limits, exchange);
      response = await endpoint.handle(context, exchange);
      if (isAct) await observers.audit.note(exchange, response);
    } catch (error) {
      response = answerFor(await errorFor(error, endpoint.access, exchange, observers), exchange, observers);
    }
    const { incoming, outgoing } = context.env ?? {};
    if (incoming?.complete === false && outgoing !== undefined) await drainUnread(incoming, outgoing);
    if (!exchange.endsLater) end(response.status);
    return response;
  };
}

/** A question that failed before its key's limits were asked has still been a request. */
async function errorFor(
  error: unknown,
  access: Access,
  exchange: Exchange,
  { limits }: ExchangeObservers,
): Promise<unknown> {
  const { caller } = exchange;
  if (caller.limits === null || exchange.isJudged || !mayUse(caller, access)) return error;
  try {
    await limitRequest(limits, exchange);
    return error;
  } catch (refusal) {
    return refusal;
  }
}

function callerFor(
  access: Access,
  { env, req }: GatewayContext,
  gatekeeper: Gatekeeper,
): Caller | Promise<Caller> {
  if (env?.caller !== undefined) return env.caller;
  return access === 'open' ? gatekeeper.passerBy() : gatekeeper.callerOf(req.header('authorization'));
}

/** On the public port, a route that has a port of its own is one that does not exist. */
export function isElsewhere(
  context: GatewayContext,
  { access }: Pick<Endpoint, 'access'>,
  adminPort: number,
): boolean {
  // Without a socket it is the machine's own question, by the probes' port.
  const socket = context.env?.incoming?.socket;
  return adminPort !== 0 && access === 'admin' && socket !== undefined && socket.localPort !== adminPort;
}

/** Nobody asked for a key, and everything may be done. */
function isOpenHouse({ keyId, scopes }: Caller): boolean {
  return keyId === null && scopes.size > 0;
}

function beginRequestSpan(
  tracing: Tracing,
  context: GatewayContext,
  { method, route, receivedAt, startedAt, requestId }: Exchange,
): TraceSpan | null {
  return tracing.begin(`${method} ${route}`, {
    kind: 'server',
    parent: {
      traceparent: context.req.header('traceparent'),
      tracestate: context.req.header('tracestate'),
    },
    startMs: receivedAt,
    startMonotonicMs: startedAt,
    attributes: {
      'http.request.method': method,
      'http.route': route,
      'vortex.request.id': requestId,
    },
  });
}

function endRequestSpan(
  span: TraceSpan,
  { jobId, receivedAt }: Exchange,
  status: number,
  tookMs: number,
): void {
  span.set({
    'http.response.status_code': status,
    ...(jobId !== undefined && { 'vortex.job.id': jobId }),
  });
  if (status >= 500) span.fail(String(status));
  span.end(receivedAt + tookMs);
}

function reportEnd(
  exchange: Exchange,
  status: number,
  level: 'debug' | 'info',
  log: Logger,
  metrics: Metrics,
): void {
  const elapsedMs = exchange.elapsedMs();
  const { method, route, span } = exchange;
  if (span !== null) endRequestSpan(span, exchange, status, exchange.toldTotalMs ?? elapsedMs);
  metrics.observe(
    'api_gateway_http_request_duration_seconds',
    {
      method: knownMethods[method] ?? 'other',
      route,
      status_class: statusClasses[Math.floor(status / 100)] ?? '5xx',
    },
    elapsedMs / 1000,
  );
  log[level](
    {
      request_id: exchange.requestId,
      job_id: exchange.jobId,
      trace_id: exchange.knownTraceId,
      tenant: exchange.caller.tenant,
      key_id: exchange.caller.keyId,
      method,
      route,
      status,
      bytes: exchange.answerBytes,
      ms: Math.round(elapsedMs * 10) / 10,
    },
    'request',
  );
}

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

type HttpLabels = LabelsOf<'api_gateway_http_request_duration_seconds'>;
/** A client may say any word for a method, and each would be a series of its own. */
const knownMethods: Record<string, HttpLabels['method']> = {
  GET: 'GET',
  HEAD: 'HEAD',
  POST: 'POST',
  PUT: 'PUT',
  PATCH: 'PATCH',
  DELETE: 'DELETE',
  OPTIONS: 'OPTIONS',
};
const statusClasses: Record<number, HttpLabels['status_class']> = {
  1: '1xx',
  2: '2xx',
  3: '3xx',
  4: '4xx',
  5: '5xx',
};

function answerFor(error: unknown, exchange: Exchange, { log, metrics }: ExchangeObservers): Response {
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
