import type { IncomingMessage, ServerResponse } from 'node:http';
import { newId, type TimingsMs } from '@vortex/contracts';
import type { TraceSpan } from '@vortex/observability';
import type { Context } from 'hono';
import { type Caller, openCaller } from './access/caller.ts';
import { childTraceparent } from './trace-context.ts';

/**
 * `incoming` and `outgoing` are Node's own objects; absent when the app is called as a value. Who calls it so may say
 * for whom; a request that came over the network cannot.
 */
export interface GatewayEnv {
  Bindings: { incoming?: IncomingMessage; outgoing?: ServerResponse; caller?: Caller };
}
export type GatewayContext = Context<GatewayEnv>;

const requestIdForm = /^[\x21-\x7e]{1,128}$/;

/**
 * One request from its arrival to the end of its answer: who asked (`requestId`), since when, and whether
 * anyone still listens. Made once per request by `serveEndpoint`, handed to every route.
 */
export class Exchange {
  readonly requestId: string;
  /** Route template, for logs and metrics; raw paths would make labels without bound. */
  readonly route: string;
  readonly method: string;
  readonly path: string;
  /** Known before the route runs. */
  caller: Caller = openCaller;
  /** Of every answer, whatever it is; null: none beside the usual. */
  policyHeaders: Record<string, string> | null = null;
  /** Epoch milliseconds. */
  readonly receivedAt = Date.now();
  /** The same moment by `performance.now()`. */
  readonly startedAt = performance.now();
  readonly #context: GatewayContext;
  #traceparent: string | undefined;
  #gone: AbortController | undefined;
  /** Of this request; null while nobody traces it. */
  span: TraceSpan | null = null;
  /** The `total` that the client is told, if it is told one: the request's span ends with it. */
  toldTotalMs: number | undefined;
  /** Durations between the laps so far, in the order of their first lap. */
  readonly laps: TimingsMs = {};
  #lapAt = 0;
  #answeredAt: number | undefined;
  /** The job asked for by this request, once there is one; for the log. */
  jobId: string | undefined;
  /** The query this is, once its end will be written down, whatever it is. */
  queryId: string | undefined;
  /** True for a stream: its answer goes on after the route returned, and it calls `onEnd` itself. */
  endsLater = false;
  /** Of the answer's body, as far as it was made; for the log. */
  answerBytes = 0;
  onEnd: (status: number) => void = () => {};
  /** Its key's limits have been asked (limits/limit-requests.ts), and what they say of it goes with its answer. */
  isJudged = false;
  limitHeaders: Record<string, string> | undefined;
  /** Gives back what the key holds as long as this request is under way; called once, at its end. */
  release: ((what: 'all' | 'place') => void) | undefined;
  /** What is put by of the key's tokens for this question: it goes with the job, and ends when that is charged. */
  reservation: string | undefined;

  constructor(context: GatewayContext, route: string) {
    const asked = context.req.header('x-request-id');
    this.requestId = asked !== undefined && requestIdForm.test(asked) ? asked : newId('req');
    this.route = route;
    this.method = context.req.method;
    this.path = context.req.path;
    this.#context = context;
  }

  /** Milliseconds since arrival. */
  elapsedMs(): number {
    return performance.now() - this.startedAt;
  }

  /** What has passed since the lap before this one is called `name`; more of the same name is added. */
  lap(name: string): void {
    const now = this.elapsedMs();
    this.laps[name] = (this.laps[name] ?? 0) + now - this.#lapAt;
    this.#lapAt = now;
  }

  sinceLapMs(): number {
    return this.elapsedMs() - this.#lapAt;
  }

  /** The completion is here. */
  markAnswered(): void {
    this.#answeredAt = this.elapsedMs();
  }

  /** Of `elapsedMs`, what has passed since the completion came; null: none has. */
  sinceAnsweredMs(elapsedMs: number): number | null {
    return this.#answeredAt === undefined ? null : elapsedMs - this.#answeredAt;
  }

  /** Aborts when the client closes the connection before the answer's end. Made only for those who wait on it. */
  get clientGone(): AbortSignal {
    if (this.#gone === undefined) {
      this.#gone = new AbortController();
      const { signal } = this.#context.req.raw;
      if (signal.aborted) this.#gone.abort();
      else signal.addEventListener('abort', () => this.abandon(), { once: true });
    }
    return this.#gone.signal;
  }

  /** The client has left: whoever noticed it says so here. */
  abandon(): void {
    this.#gone?.abort();
  }

  get traceparent(): string {
    this.#traceparent ??= this.span?.traceparent ?? childTraceparent(this.#context.req.header('traceparent'));
    return this.#traceparent;
  }

  /** The caller's, passed on; one that is longer than the envelope takes is dropped, as the specification allows. */
  get tracestate(): string | undefined {
    const { req } = this.#context;
    if (req.header('traceparent')?.slice(3, 35) !== this.traceId) return undefined;
    const state = req.header('tracestate');
    return state !== undefined && state.length <= 512 ? state : undefined;
  }

  /** Undefined for a request that made no job and is not traced. */
  get knownTraceId(): string | undefined {
    return this.#traceparent?.slice(3, 35);
  }

  get traceId(): string {
    return this.traceparent.slice(3, 35);
  }
}

/**
 * Headers of every answer. Given to `Response` as a plain object, never set afterwards: node-server then
 * writes them without building a `Headers`, which is a third of a small answer's cost.
 */
export function baseHeaders(exchange: Exchange): Record<string, string> {
  const headers: Record<string, string> = {
    'X-Request-Id': exchange.requestId,
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'no-referrer',
    'Cache-Control': 'no-store',
    'Content-Security-Policy': closedPolicy,
    'X-Frame-Options': 'DENY',
    'Cross-Origin-Resource-Policy': 'same-origin',
    ...exchange.limitHeaders,
  };
  return exchange.policyHeaders === null ? headers : Object.assign(headers, exchange.policyHeaders);
}

/** What is no page runs and loads nothing, even where a browser is made to show it. */
const closedPolicy = "default-src 'none'; frame-ancestors 'none'";

export function jsonAnswer(
  exchange: Exchange,
  value: unknown,
  status = 200,
  more?: Record<string, string>,
): Response {
  const headers = baseHeaders(exchange);
  headers['Content-Type'] = 'application/json';
  const text = JSON.stringify(value);
  exchange.answerBytes = Buffer.byteLength(text);
  return new Response(text, {
    status,
    headers: more ? Object.assign(headers, more) : headers,
  });
}

export function textAnswer(
  exchange: Exchange,
  body: string | Uint8Array<ArrayBuffer>,
  contentType: string,
  more: Record<string, string> = {},
): Response {
  const headers = { ...baseHeaders(exchange), 'Content-Type': contentType, ...more };
  exchange.answerBytes = Buffer.byteLength(body);
  return new Response(body, { headers });
}

export function notModified(exchange: Exchange, more: Record<string, string>): Response {
  return new Response(null, { status: 304, headers: { ...baseHeaders(exchange), ...more } });
}

export function noContent(exchange: Exchange, more: Record<string, string>): Response {
  return new Response(null, { status: 204, headers: { ...baseHeaders(exchange), ...more } });
}
