import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { getRequestListener, RequestError } from '@hono/node-server';
import type { Logger } from '@vortex/observability';
import type { GatewayApp } from './app.ts';
import { startBodyClock } from './body-time.ts';
import { createServerDrain } from './drain-server.ts';
import { maxDrainedBytes } from './middleware/drain-unread.ts';
import { type GatewayProblemCode, gatewayProblem, type HttpProblem, internalProblem } from './problem.ts';
import { isRefused, markRefused } from './refused-connections.ts';
import { createCloseTurns } from './transport/close-in-turn.ts';
import { GatheredRequest } from './transport/gathered-request.ts';
import { createTurns } from './transport/in-turn.ts';
import { followTls, readTls, type TlsFiles } from './transport/tls.ts';

/**
 * The HTTP server around the app: what cannot be answered by a route because it never became a request
 * (garbage, wrong lengths, slow or endless senders). How it stops is in drain-server.ts.
 */
export interface GatewayServer {
  readonly url: string;
  readonly port: number;
  /** First step of the stop: answers say `Connection: close`, and after `graceMs` no connection is taken any more. */
  stopAccepting(graceMs: number): Promise<void>;
  /** Resolves once every connection is closed; the same promise however often it is called. */
  stop(budgetMs: number): Promise<void>;
  /** Ends a stop that is under way: every connection is closed, whatever it waits for. */
  cut(): void;
}

export interface ServerOptions {
  app: GatewayApp;
  host: string;
  port: number;
  log: Logger;
  /** Other processes may listen on the port too; the system shares the connections out. */
  reusePort?: boolean;
  /** The whole body must have arrived by then (of an upload: every part of it); bounds lengths that lie upwards. */
  requestTimeoutMs?: number;
  /** Longest body of any route. A client that asks first (`Expect: 100-continue`) is not told to send a longer one. */
  largestBodyBytes?: number;
  headersTimeoutMs?: number;
  /** Of the request line and all headers together. */
  maxHeaderBytes?: number;
  /** Of the request's address alone. */
  maxUrlBytes?: number;
  /** One more is closed without a word, so that files and memory are left for those that are there. */
  maxConnections?: number;
  /** HTTPS, and nothing else. */
  tls?: TlsFiles;
}

/** @throws the listen error (EADDRINUSE …) when the port cannot be had; Error when a TLS file cannot be read. */
export async function startServer(options: ServerOptions): Promise<GatewayServer> {
  const { app, host, port, log, requestTimeoutMs = 120_000, headersTimeoutMs = 20_000 } = options;
  const { largestBodyBytes = Number.POSITIVE_INFINITY, reusePort = false } = options;
  const { maxHeaderBytes = 16 * 1024, maxUrlBytes = 8 * 1024, maxConnections } = options;
  const listener = getRequestListener(app.fetch, {
    hostname: host,
    // Unread bodies are drained by serve-endpoint.ts; the adaptor would cut slow ones after half a second.
    autoCleanupIncoming: false,
    errorHandler: (error) => answerUnroutable(error, log),
  });
  const { tls } = options;
  const limits = {
    IncomingMessage: GatheredRequest,
    // The head's time is Node's to keep, the body's is body-time.ts'.
    requestTimeout: 0,
    headersTimeout: Math.min(headersTimeoutMs, requestTimeoutMs),
    connectionsCheckingInterval: Math.min(2000, requestTimeoutMs),
    keepAliveTimeout: 30_000,
    // Node's own refusal has no body.
    requireHostHeader: false,
    maxHeaderSize: maxHeaderBytes,
  };
  const secure =
    tls === undefined
      ? null
      : createTlsServer(
          { ...limits, ...readTls(tls), minVersion: 'TLSv1.2', handshakeTimeout: limits.headersTimeout },
          answer,
        );
  const server = secure ?? createServer(limits, answer);
  const stopFollowing = secure === null || tls === undefined ? undefined : followTls(secure, tls, log);
  server.on(secure === null ? 'connection' : 'secureConnection', createCloseTurns());
  if (maxConnections !== undefined) server.maxConnections = maxConnections;
  function answer(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const hostMissing = incoming.headers.host === undefined && incoming.httpVersion === '1.1';
    if (hostMissing) {
      refuseConnection(new Error('no Host header'), incoming.socket);
      return;
    }
    if ((incoming.url?.length ?? 0) > maxUrlBytes) {
      refuseConnection(urlIsLong, incoming.socket);
      return;
    }
    inTurn(incoming, outgoing, () => {
      if (drain.hasBegun()) outgoing.setHeader('Connection', 'close');
      startBodyClock(incoming, requestTimeoutMs, () => refuseConnection(bodyIsLate, incoming.socket));
      void listener(incoming, outgoing);
    });
  }
  server.on('checkContinue', (incoming: IncomingMessage, outgoing: ServerResponse) => {
    if (!(Number(incoming.headers['content-length']) > largestBodyBytes)) outgoing.writeContinue();
    answer(incoming, outgoing);
  });
  server.on('clientError', refuseConnection);
  server.on('connect', (_request, socket) => answerOnSocket(socket, noTunnel));
  // An expectation we do not know may be ignored (RFC 9110, 10.1.1); Node would answer 417 without a body.
  server.on('checkExpectation', answer);
  const drain = createServerDrain(server, log);
  const inTurn = createTurns();

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, host, ...(reusePort && { reusePort }) }, () => {
      server.off('error', reject);
      resolve();
    });
  });
  server.on('error', (error) => log.error({ err: error }, 'http server'));
  const bound = (server.address() as AddressInfo).port;

  let stopped: Promise<void> | undefined;
  return {
    url: `${secure === null ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    port: bound,
    stopAccepting: drain.stopAccepting,
    stop(budgetMs) {
      stopFollowing?.();
      stopped ??= drain.stopAccepting(0).then(() => drain.finish(budgetMs));
      return stopped;
    },
    cut: drain.cut,
  };
}

/** HTTP that no URL can be made of: a `Host` that is none, a backslash in the path. */
function answerUnroutable(error: unknown, log: Logger): Response {
  const readable = error instanceof RequestError;
  if (!readable) log.error({ err: error }, 'request failed outside of every route');
  const { problem } = readable
    ? gatewayProblem('bad_request', { detail: 'The request target or the Host header is not valid.' })
    : internalProblem();
  return new Response(JSON.stringify(problem), {
    status: problem.status,
    headers: { 'Content-Type': 'application/problem+json', ...bareHeaders },
  });
}

/** Of answers that no exchange makes; nothing of them may be kept, shown in a frame, or run. */
const bareHeaders = {
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cache-Control': 'no-store',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
};

const codeOfParserError: Record<string, GatewayProblemCode> = {
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
  URL_TOO_LONG: 'uri_too_long',
};
const urlIsLong = Object.assign(new Error('the address is too long'), { code: 'URL_TOO_LONG' });
const bodyIsLate = Object.assign(new Error('the body is late'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' });
/** How long a refused client may go on sending before its connection is cut. */
const refusedForMs = 10_000;

/**
 * Bytes that are no HTTP: a problem document on the bare socket, then the rest is read and dropped so that
 * the client gets to read it. The parser reports every further piece here again.
 */
function refuseConnection(error: NodeJS.ErrnoException, stream: unknown): void {
  const socket = stream as Socket & { _httpMessage?: ServerResponse<IncomingMessage> | null };
  if (isRefused(socket)) {
    if (socket.bytesRead > maxDrainedBytes) socket.destroy();
    return;
  }
  const answering = socket._httpMessage?.headersSent === true;
  markRefused(socket);
  if (error.code === 'ECONNRESET' || !socket.writable || answering) {
    socket.destroy();
    return;
  }
  answerOnSocket(
    socket,
    gatewayProblem(codeOfParserError[error.code ?? ''] ?? 'bad_request', { detail: detailOf(error.code) }),
  );
}

const noTunnel = gatewayProblem('method_not_allowed', {
  detail: 'This is no proxy: it takes GET, HEAD, POST, PATCH, DELETE and OPTIONS, not CONNECT.',
  headers: { Allow: 'GET, HEAD, POST, PATCH, DELETE, OPTIONS' },
});

/** Answers a connection that Node has no response object for, and ends it. */
function answerOnSocket(socket: Duplex, { problem, headers }: HttpProblem): void {
  const body = JSON.stringify(problem);
  const more = Object.entries({ ...bareHeaders, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(
    `HTTP/1.1 ${problem.status} ${problem.title}\r\nContent-Type: application/problem+json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n${more.join('')}` +
      `Connection: close\r\n\r\n${body}`,
  );
  const cut = setTimeout(() => socket.destroy(), refusedForMs);
  cut.unref();
  socket.once('close', () => clearTimeout(cut));
}

function detailOf(code: string | undefined): string {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return 'The request was not complete in time. Is its Content-Length larger than its body?';
  }
  if (code === 'HPE_HEADER_OVERFLOW') return 'Send fewer or shorter headers, and a shorter address.';
  if (code === 'URL_TOO_LONG') return 'Send what is long in the body, or fewer parameters.';
  if (code === undefined) return 'Name this server in the header Host.';
  return 'This is not HTTP/1.1, or a length in its headers does not fit what was sent.';
}
