import type { LabelsOf, Logger, Metrics, TraceSpan, Tracing } from '@vortex/observability';
import type { Exchange, GatewayContext } from '../exchange.ts';

/** What a trace tells of a request, from its arrival; null: it is not traced. */
export function beginRequestSpan(
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

/** What a request leaves behind: its span, its metric and its line in the log (never the question's text). */
export function reportEnd(
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
