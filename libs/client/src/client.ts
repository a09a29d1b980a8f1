import {
  type AuditReport,
  type AuditRequest,
  auditReport,
  type IngestRequest,
  type IngestResponse,
  ingestResponse,
  type JobAccepted,
  type JobEvent,
  type JobResponse,
  jobAccepted,
  type QueryExplanation,
  type QueryRequest,
  type QueryResponse,
  queryExplanation,
  queryResponse,
  type SearchRequest,
  type SearchResponse,
  searchResponse,
  type UploadAccepted,
  type UploadFields,
} from '@vortex/contracts';
import { type CollectionCalls, collectionCalls } from './collection-calls.ts';
import { type DeadLetterCalls, deadLetterCalls } from './dead-letter-calls.ts';
import { type DocumentCalls, documentCalls, type UploadOptions } from './document-calls.ts';
import { problemFrom } from './errors.ts';
import { type JobCalls, jobCalls } from './job-calls.ts';
import { type KeyCalls, keyCalls } from './key-calls.ts';
import { type QueryEvent, readQueryEvents } from './query-events.ts';
import { type ReplicaCalls, replicaCalls } from './replica-calls.ts';
import { type CallOptions, createTransport } from './transport.ts';

/** How it is delivered is chosen by the method, not by a field. */
export type Question = Omit<QueryRequest, 'stream' | 'async'>;

/**
 * Vortex over HTTP. Answers are parsed before they are returned.
 * Every method throws ApiProblem when the gateway refuses, GatewayUnreachable when nothing answers, and an
 * AbortError when `signal` is aborted.
 */
export interface VortexClient {
  readonly url: string;
  query(request: Question, call?: CallOptions): Promise<QueryResponse>;
  /** Accepted only: ask `job` or `waitForJob` for the result, which is kept for an hour. */
  queryLater(request: Question, call?: CallOptions): Promise<JobAccepted>;
  /** Leaving the loop aborts the generation. */
  stream(request: Question, call?: CallOptions): AsyncGenerator<QueryEvent>;
  /** How the answer of this id came about; kept for a day at most. */
  explain(id: string, call?: CallOptions): Promise<QueryExplanation>;
  search(request: SearchRequest, call?: CallOptions): Promise<SearchResponse>;
  /** The light way in, for text that is at hand. */
  ingest(request: IngestRequest, call?: CallOptions): Promise<IngestResponse>;
  /** The same as `documents.upload`. */
  upload(path: string, fields?: UploadFields, options?: UploadOptions): Promise<UploadAccepted>;
  /** The same as `jobs.get`, `jobs.wait` and `jobs.events`. */
  job(id: string, call?: CallOptions): Promise<JobResponse>;
  waitForJob(id: string, call?: CallOptions): Promise<JobResponse>;
  jobEvents(id: string, call?: CallOptions & { after?: number }): AsyncGenerator<JobEvent>;
  readonly documents: DocumentCalls;
  readonly collections: CollectionCalls;
  readonly jobs: JobCalls;
  readonly keys: KeyCalls;
  readonly replicas: ReplicaCalls;
  readonly deadLetters: DeadLetterCalls;
  /** Compares store and files with the registry; takes seconds to minutes. */
  audit(request?: AuditRequest, call?: CallOptions): Promise<AuditReport>;
  health(call?: CallOptions): Promise<{ ready: boolean; reasons: string[] }>;
  /** Closes kept connections. */
  close(): Promise<void>;
}

/** Where a gateway is, and the key it is asked with (`vx_…`); absent: none. */
export interface ClientOptions {
  url: string;
  key?: string;
}

export function createClient(options: ClientOptions): VortexClient {
  const transport = createTransport(options.url, options.key);
  const documents = documentCalls(transport);
  const jobs = jobCalls(transport);
  return {
    url: transport.url,
    documents,
    jobs,
    collections: collectionCalls(transport),
    keys: keyCalls(transport),
    replicas: replicaCalls(transport),
    deadLetters: deadLetterCalls(transport),
    upload: documents.upload,
    job: jobs.get,
    waitForJob: jobs.wait,
    jobEvents: jobs.events,
    query: (request, call = {}) => transport.json(queryResponse, '/query', { ...call, body: request }),
    queryLater: (request, call = {}) =>
      transport.json(jobAccepted, '/query', { ...call, body: { ...request, async: true } }),
    async *stream(request, call = {}) {
      const leave = new AbortController();
      const signal = call.signal ? AbortSignal.any([call.signal, leave.signal]) : leave.signal;
      const { status, body } = await transport.send('/query', { signal, body: { ...request, stream: true } });
      if (body === null) throw problemFrom(status, '');
      try {
        yield* readQueryEvents(body as ReadableStream<Uint8Array>);
      } finally {
        leave.abort();
      }
    },
    explain: (id, call = {}) =>
      transport.json(queryExplanation, `/api/queries/${encodeURIComponent(id)}/explain`, call),
    search: (request, call = {}) => transport.json(searchResponse, '/search', { ...call, body: request }),
    ingest: (request, call = {}) => transport.json(ingestResponse, '/ingest', { ...call, body: request }),
    audit: (request = {}, call = {}) => transport.json(auditReport, '/api/audit', { ...call, body: request }),
    health: (call = {}) => transport.readiness(call),
    close: () => transport.close(),
  };
}
