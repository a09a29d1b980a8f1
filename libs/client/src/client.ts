import { setTimeout as delay } from 'node:timers/promises';
import {
  type AuditReport,
  type AuditRequest,
  auditReport,
  type IngestRequest,
  type IngestResponse,
  ingestResponse,
  type JobAccepted,
  type JobResponse,
  jobAccepted,
  jobResponse,
  type QueryRequest,
  type QueryResponse,
  queryResponse,
  type SearchRequest,
  type SearchResponse,
  searchResponse,
} from '@vortex/contracts';
import { Agent, fetch } from 'undici';
import { GatewayUnreachable, problemFrom } from './errors.ts';
import { type QueryEvent, readQueryEvents } from './query-events.ts';

/** How it is delivered is chosen by the method, not by a field. */
export type Question = Omit<QueryRequest, 'stream' | 'async'>;

interface CallOptions {
  signal?: AbortSignal;
}

/**
 * Vortex over HTTP. Answers are parsed before they are returned.
 * Every method throws ApiProblem when the gateway refuses, GatewayUnreachable when nothing answers, and an
 * AbortError when `signal` is aborted.
 */
export interface VortexClient {
  readonly url: string;
  query(request: Question, options?: CallOptions): Promise<QueryResponse>;
  /** Accepted only: ask `job` or `waitForJob` for the result, which is kept for an hour. */
  queryLater(request: Question, options?: CallOptions): Promise<JobAccepted>;
  /** Leaving the loop aborts the generation. */
  stream(request: Question, options?: CallOptions): AsyncGenerator<QueryEvent>;
  search(request: SearchRequest, options?: CallOptions): Promise<SearchResponse>;
  ingest(request: IngestRequest, options?: CallOptions): Promise<IngestResponse>;
  job(id: string, options?: CallOptions): Promise<JobResponse>;
  /** Polls until the job has ended, well or badly; a gateway that is away for a moment is waited for. */
  waitForJob(
    id: string,
    options?: CallOptions & { onProgress?: (job: JobResponse) => void },
  ): Promise<JobResponse>;
  /** The document's extracted text, which every `source_span` points into. */
  documentText(documentId: string, options?: CallOptions): Promise<string>;
  /** Compares store and files with the registry; takes seconds to minutes. */
  audit(request?: AuditRequest, options?: CallOptions): Promise<AuditReport>;
  health(options?: CallOptions): Promise<{ ready: boolean; reasons: string[] }>;
  /** Closes kept connections. */
  close(): Promise<void>;
}

const ended: ReadonlySet<string> = new Set(['completed', 'failed', 'cancelled']);
const pollMs = { first: 100, longest: 1000 } as const;
const awayLimitMs = 15_000;

export function createClient(options: { url: string }): VortexClient {
  const url = options.url.replace(/\/+$/, '');
  // A query may take five minutes until its first byte; how long is the caller's matter (`signal`).
  const dispatcher = new Agent({ headersTimeout: 0, bodyTimeout: 0 });

  async function send(path: string, call: CallOptions, body?: unknown) {
    try {
      return await fetch(`${url}${path}`, {
        dispatcher,
        ...(call.signal && { signal: call.signal }),
        ...(body !== undefined && {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(body),
        }),
      });
    } catch (error) {
      if (call.signal?.aborted) throw error;
      throw new GatewayUnreachable(url, error);
    }
  }

  async function exchange(path: string, call: CallOptions, body?: unknown): Promise<string> {
    const response = await send(path, call, body);
    const text = await response.text();
    if (!response.ok) throw problemFrom(response.status, text);
    return text;
  }

  async function json<T>(
    schema: { parse(content: unknown): T },
    path: string,
    call: CallOptions,
    body?: unknown,
  ): Promise<T> {
    return schema.parse(JSON.parse(await exchange(path, call, body)));
  }

  const client: VortexClient = {
    url,
    query: (request, call = {}) => json(queryResponse, '/query', call, request),
    queryLater: (request, call = {}) => json(jobAccepted, '/query', call, { ...request, async: true }),
    async *stream(request, call = {}) {
      const leave = new AbortController();
      const signal = call.signal ? AbortSignal.any([call.signal, leave.signal]) : leave.signal;
      const response = await send('/query', { signal }, { ...request, stream: true });
      if (!response.ok || response.body === null)
        throw problemFrom(response.status, response.ok ? '' : await response.text());
      try {
        yield* readQueryEvents(response.body as ReadableStream<Uint8Array>);
      } finally {
        leave.abort();
      }
    },
    search: (request, call = {}) => json(searchResponse, '/search', call, request),
    ingest: (request, call = {}) => json(ingestResponse, '/ingest', call, request),
    job: (id, call = {}) => json(jobResponse, `/api/jobs/${encodeURIComponent(id)}`, call),
    async waitForJob(id, call = {}) {
      let away: number | null = null;
      for (let wait: number = pollMs.first; ; wait = Math.min(pollMs.longest, wait * 1.5)) {
        try {
          const job = await client.job(id, call);
          away = null;
          call.onProgress?.(job);
          if (ended.has(job.status)) return job;
        } catch (error) {
          if (!isPassing(error)) throw error;
          away ??= performance.now();
          if (performance.now() - away > awayLimitMs) throw error;
        }
        await delay(wait, undefined, { ...(call.signal && { signal: call.signal }) });
      }
    },
    documentText: (documentId, call = {}) =>
      exchange(`/api/documents/${encodeURIComponent(documentId)}/text`, call),
    audit: (request = {}, call = {}) => json(auditReport, '/api/audit', call, request),
    async health(call = {}) {
      const response = await send('/readyz', call);
      const content = (await response.json().catch(() => ({}))) as { reasons?: unknown };
      const reasons = Array.isArray(content.reasons) ? content.reasons.map(String) : [];
      return { ready: response.status === 200, reasons };
    },
    close: () => dispatcher.close(),
  };
  return client;
}

function isPassing(error: unknown): boolean {
  return (
    error instanceof GatewayUnreachable ||
    (error instanceof Error && 'status' in error && error.status === 503)
  );
}
