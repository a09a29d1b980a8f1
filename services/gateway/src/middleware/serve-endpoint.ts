import type { Logger, Metrics, Tracing } from '@vortex/observability';
import type { RequestLimits } from '@vortex/queue';
import { type Access, type Caller, mayUse } from '../access/caller.ts';
import type { Gatekeeper } from '../access/gatekeeper.ts';
import { missingScope } from '../access/missing-scope.ts';
import type { Endpoint } from '../endpoint.ts';
import { Exchange, type GatewayContext } from '../exchange.ts';
import { limitRequest } from '../limits/limit-requests.ts';
import { unknownRoute } from '../problem.ts';
import type { AuditTrail } from '../records/audit-trail.ts';
import { beginRequestSpan, reportEnd } from '../records/request-record.ts';
import type { BrowserPolicy } from '../transport/browser-policy.ts';
import { drainUnread } from './drain-unread.ts';
import { answerFor } from './problem-answer.ts';

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
