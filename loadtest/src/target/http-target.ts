import { createParser } from 'eventsource-parser';
import { type Dispatcher, Pool } from 'undici';
import type { Clock } from '../drive/clock.ts';
import { jsonOf } from '../json-of.ts';
import { documentText, type PlannedRequest } from '../plan/deal-requests.ts';
import { readAnswer, readJobId, readProblem, readStreamProblem, showsText } from './answer.ts';
import { waitUntilFound } from './freshness.ts';
import { limitedText } from './limited-text.ts';
import { emptyReply, type Reply, type Target } from './target.ts';

export interface HttpTargetOptions {
  /** Without `/query`. */
  baseUrl: string;
  clock: Clock;
  /** Most that are ever in flight; each has a connection of its own, so none waits for another's. */
  connections: number;
  timeoutMs: number;
  stream: boolean;
  /** Null: the field is left out, for targets that do not know it. */
  cache: 'default' | 'bypass' | 'refresh' | null;
  collection: string | null;
  topK: number | null;
  /** One each tenant. */
  apiKeys: readonly string[];
  seed: number;
  /** Documents of a mixed load go there. */
  ingestCollection: string;
}

export interface HttpTarget extends Target {
  /** Does anything answer there, and what is wrong with it, or with the way to it; null: nothing. */
  probe(): Promise<{ reachable: boolean; warning: string | null }>;
  /** Takes the documents of a mixed load out again. */
  removeDocuments(): Promise<void>;
  close(): Promise<void>;
}

/** Longer answers than this are a fault of the target's. */
const maxAnswerBytes = 16 * 2 ** 20;

export function createHttpTarget(options: HttpTargetOptions): HttpTarget {
  const { clock, timeoutMs, apiKeys, ingestCollection } = options;
  const isAnyObject = options.cache === null;
  const base = new URL(options.baseUrl);
  const prefix = base.pathname.replace(/\/+$/, '');
  // The deadline of a request is ours: undici's own timers tick only every second.
  const pool = new Pool(base.origin, {
    connections: options.connections,
    pipelining: 1,
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: { timeout: timeoutMs },
  });
  /** Tenants with a document in the collection: to each of them it is a collection of its own. */
  const ingestedBy = new Set<number | null>();

  function call(
    method: 'GET' | 'POST' | 'DELETE',
    path: string,
    body: object | null,
    details: { signal: AbortSignal; tenant?: number | null; trace?: string },
  ): Promise<Dispatcher.ResponseData> {
    const key = apiKeys[details.tenant ?? 0];
    return pool.request({
      method,
      path: `${prefix}${path}`,
      signal: details.signal,
      headers: {
        ...(body !== null && { 'content-type': 'application/json' }),
        ...(key !== undefined && { authorization: `Bearer ${key}` }),
        ...(details.trace !== undefined && { traceparent: details.trace }),
      },
      body: body === null ? null : JSON.stringify(body),
    });
  }

  async function withDeadline(
    signal: AbortSignal,
    work: (signal: AbortSignal) => Promise<Reply>,
  ): Promise<Reply | null> {
    const end = new AbortController();
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      end.abort();
    }, timeoutMs);
    const leave = () => end.abort();
    signal.addEventListener('abort', leave);
    try {
      return await work(end.signal);
    } catch (error) {
      if (signal.aborted) return null;
      if (isLate)
        return { ...emptyReply, outcome: 'timeout', error: `no whole answer within ${timeoutMs} ms` };
      return { ...emptyReply, outcome: 'connect', error: networkError(error) };
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', leave);
    }
  }

  function query(request: PlannedRequest, signal: AbortSignal): Promise<Reply | null> {
    const { query: text, expected } = request.question;
    const body = {
      query: text,
      ...(options.collection !== null && { collection: options.collection }),
      ...(options.topK !== null && { top_k: options.topK }),
      ...(options.cache !== null && { cache: options.cache }),
      ...(options.stream && { stream: true }),
    };
    return withDeadline(signal, async (ending) => {
      const sentMs = clock.now();
      const response = await call('POST', '/query', body, { ...callDetails(request), signal: ending });
      const { statusCode: status } = response;
      if (status < 200 || status > 299) return readProblem(await jsonBody(response), status);
      try {
        if (isEventStream(response)) return await readStream(response, status, expected, sentMs);
        return readAnswer(await jsonBody(response), status, { expected, isAnyObject });
      } catch (error) {
        if (ending.aborted) throw error;
        return { ...emptyReply, status, outcome: 'stream_cut', error: networkError(error) };
      }
    });
  }

  async function readStream(
    response: Dispatcher.ResponseData,
    status: number,
    expected: string | undefined,
    sentMs: number,
  ): Promise<Reply> {
    let firstTokenMs: number | null = null;
    let lastMs = 0;
    const gaps: number[] = [];
    let end: Reply | null = null;
    const parser = createParser({
      onEvent({ event, data }) {
        if (event === 'delta') {
          const nowMs = clock.now();
          if (firstTokenMs === null) firstTokenMs = nowMs - sentMs;
          else gaps.push(round(nowMs - lastMs));
          lastMs = nowMs;
        } else if (event === 'done') end = readAnswer(jsonOf(data), status, { expected, isAnyObject });
        else if (event === 'error') end = readStreamProblem(jsonOf(data));
      },
    });
    const decoder = new TextDecoder();
    for await (const chunk of response.body) parser.feed(decoder.decode(chunk, { stream: true }));
    if (end === null) return { ...emptyReply, status, outcome: 'stream_cut', error: 'no last event' };
    return { ...(end as Reply), first_token_ms: firstTokenMs, gaps_ms: gaps };
  }

  function ingest(request: PlannedRequest, signal: AbortSignal): Promise<Reply | null> {
    ingestedBy.add(request.tenant);
    const marker = `lt${request.traceId.slice(0, 12)}n${request.n}`;
    const documentId = `loadtest-${marker}`;
    const body = {
      user_id: 'loadtest',
      document_id: documentId,
      collection: ingestCollection,
      content: documentText(options.seed, request.n, marker),
    };
    return withDeadline(signal, async (ending) => {
      const response = await call('POST', '/ingest', body, { ...callDetails(request), signal: ending });
      const { statusCode: status } = response;
      const said = await jsonBody(response);
      if (status < 200 || status > 299) return readProblem(said, status);
      const acceptedMs = clock.now();
      const isFound = async () => {
        const search = {
          query: marker,
          collection: ingestCollection,
          mode: 'sparse',
          top_k: 1,
          cache: 'bypass',
        };
        const found = await call('POST', '/search', search, { ...callDetails(request), signal });
        return showsText(await jsonBody(found), marker);
      };
      const freshness = waitUntilFound({ clock, signal, acceptedMs, isFound });
      return { ...emptyReply, status, id: readJobId(said), freshness };
    });
  }

  return {
    send: (request, signal) => (request.kind === 'ingest' ? ingest(request, signal) : query(request, signal)),

    async probe() {
      try {
        const response = await call('GET', '/readyz', null, { signal: AbortSignal.timeout(5_000) });
        await response.body.dump();
        const isUnready = response.statusCode === 503;
        return {
          reachable: true,
          warning: isUnready ? 'the target says that it is not ready (/readyz)' : null,
        };
      } catch (error) {
        return { reachable: false, warning: networkError(error) };
      }
    },

    async removeDocuments() {
      const path = `/api/collections/${encodeURIComponent(ingestCollection)}`;
      const signal = AbortSignal.timeout(30_000);
      for (const tenant of ingestedBy) {
        const { statusCode, body } = await call('DELETE', path, null, { signal, tenant });
        await body.dump();
        // 404: not one of its documents got that far.
        if (statusCode >= 400 && statusCode !== 404) throw new Error(`DELETE ${path}: HTTP ${statusCode}`);
      }
    },

    // Not close(): that would wait for what an interruption has left behind.
    close: () => pool.destroy(),
  };
}

function callDetails({ tenant, traceId, isTraceSampled }: PlannedRequest) {
  const spanId = traceId.slice(-16);
  return { tenant, trace: `00-${traceId}-${spanId}-${isTraceSampled ? '01' : '00'}` };
}

async function jsonBody({ body }: Dispatcher.ResponseData): Promise<unknown> {
  return jsonOf(await limitedText(body, maxAnswerBytes));
}

function isEventStream({ headers }: Dispatcher.ResponseData): boolean {
  return String(headers['content-type'] ?? '').startsWith('text/event-stream');
}

function networkError(error: unknown): string {
  const { code, message } = error as { code?: unknown; message?: unknown };
  return typeof code === 'string' ? code : String(message ?? error);
}

function round(ms: number): number {
  return Math.round(ms * 100) / 100;
}
