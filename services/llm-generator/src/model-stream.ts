import type { TraceCarrier } from '@vortex/observability';
import { Agent, type Dispatcher, request } from 'undici';
import { ModelFailure } from './model-client.ts';

/**
 * One streamed HTTP reply, whatever its protocol. It has three ways to end and each is final:
 *
 *   ended    the protocol's end mark was read; what the server sends after it is drained unread, so that
 *            the connection can be used again
 *   failed   status, connection, form or size were wrong, or the body ended before its end mark
 *   stopped  the caller's signal or the time limit; the connection is closed at once
 */
export interface StreamedReply {
  dispatcher: Dispatcher;
  url: string;
  headers: Record<string, string>;
  /** Sent along, for a model server that continues the trace. */
  trace?: TraceCarrier | undefined;
  body: string;
  signal: AbortSignal;
  timeoutMs: number;
  /** How the server is called in messages, with the setting that names it. */
  server: string;
  /** Feeds the next piece of the body; true once the end mark was read. May throw a ModelFailure. */
  read(text: string): boolean;
  /** What a refused request means to a person, from status and body. */
  explain(status: number, body: string): string;
}

const maxReplyBytes = 8 * 1024 * 1024;
const maxErrorCharacters = 16 * 1024;
/** A server that keeps a finished body open longer costs its connection, not ours. */
const drainMs = 1000;

/**
 * Kept-alive connections; twice the slots, because an answered one may still be draining when its slot
 * asks again. undici's own timeouts are off: its defaults give up after 300 s without headers, and a cold
 * model on a CPU may need them; the job's deadline is the only limit.
 */
export function modelAgent(slots: number): Agent {
  return new Agent({ connections: 2 * slots, pipelining: 1, headersTimeout: 0, bodyTimeout: 0 });
}

/** @throws ModelFailure */
export async function streamReply(reply: StreamedReply): Promise<void> {
  const { signal, timeoutMs, server } = reply;
  if (signal.aborted) throw new ModelFailure('aborted', 'the generation was cancelled');
  if (timeoutMs <= 0) throw new ModelFailure('timeout', `no time was left to ask ${server}`);

  const stop = new AbortController();
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    stop.abort();
  }, timeoutMs);
  const onAbort = (): void => stop.abort();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await exchange(reply, stop.signal);
  } catch (error) {
    if (signal.aborted) throw new ModelFailure('aborted', 'the generation was cancelled');
    if (timedOut)
      throw new ModelFailure('timeout', `${server} did not finish within ${Math.round(timeoutMs)} ms`);
    throw error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}

async function exchange(reply: StreamedReply, signal: AbortSignal): Promise<void> {
  const { dispatcher, url, body, server } = reply;
  const headers = { ...reply.headers, ...traceHeaders(reply.trace) };
  let response: Dispatcher.ResponseData;
  try {
    response = await request(url, { method: 'POST', dispatcher, headers, body, signal });
  } catch (cause) {
    const code = codeOf(cause);
    throw new ModelFailure('connect', `${server} could not be reached (${code}): is it running?`, { cause });
  }
  const { statusCode: status } = response;
  if (status >= 200 && status < 300) return readBody(reply, response.body);

  const text = await readErrorBody(response.body);
  const message = reply.explain(status, text);
  if (status === 429) {
    throw new ModelFailure('rate_limited', message, { status, retryAfterMs: retryAfterMs(response.headers) });
  }
  // 408 and 425 ask for the same request again; any other status below 500 is about the request itself.
  const mayHelp = status >= 500 || status === 408 || status === 425;
  throw new ModelFailure(mayHelp ? 'server_error' : 'client_error', message, { status });
}

function readBody(reply: StreamedReply, body: Dispatcher.ResponseData['body']): Promise<void> {
  const { server } = reply;
  // Streaming: a character of several bytes may arrive in two chunks.
  const decoder = new TextDecoder();
  let bytes = 0;
  let ended = false;
  return new Promise((resolve, reject) => {
    const fail = (failure: unknown): void => {
      reject(failure);
      body.destroy();
    };
    body.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (ended) return;
      if (bytes > maxReplyBytes) {
        fail(new ModelFailure('malformed', `${server} sent more than ${maxReplyBytes} bytes`));
        return;
      }
      try {
        ended = reply.read(decoder.decode(chunk, { stream: true }));
      } catch (failure) {
        fail(failure);
        return;
      }
      if (!ended) return;
      resolve();
      const drained = setTimeout(() => body.destroy(), drainMs);
      drained.unref();
      body.once('close', () => clearTimeout(drained));
    });
    body.once('end', () => {
      reject(new ModelFailure('malformed', `${server} ended its answer before it was complete`));
    });
    // After `ended` the promise is settled, and an error while draining concerns nobody.
    body.on('error', (cause) => {
      reject(new ModelFailure('malformed', `${server} broke off its answer (${codeOf(cause)})`, { cause }));
    });
  });
}

async function readErrorBody(body: Dispatcher.ResponseData['body']): Promise<string> {
  let text = '';
  try {
    body.setEncoding('utf8');
    for await (const chunk of body) {
      text += chunk;
      if (text.length > maxErrorCharacters) break;
    }
  } catch {
    // The status says enough; its explanation was cut off.
  }
  return text;
}

function traceHeaders({ traceparent, tracestate }: TraceCarrier = {}): Record<string, string> {
  return {
    ...(traceparent !== undefined && { traceparent }),
    ...(tracestate !== undefined && { tracestate }),
  };
}

function retryAfterMs(headers: Dispatcher.ResponseData['headers']): number | null {
  const value = headers['retry-after'];
  const seconds = typeof value === 'string' ? Number(value) : Number.NaN;
  return Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : null;
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as Error & { code?: unknown };
  return typeof code === 'string' ? code : error.message;
}
