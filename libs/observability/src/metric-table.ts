/**
 * THE TABLE of metrics: every name, its kind, its labels and its buckets. Labels come from closed sets
 * (stages, outcomes, replicas); never a tenant, a query, a document or a raw path: those would grow
 * without bound. Base units, `_seconds` and `_bytes`; counters end in `_total`. A bucket edge stands at
 * every threshold an alert or an SLO uses, because quantiles are interpolated inside a bucket.
 */
const latencyBuckets = [0.05, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 5, 7.5, 10, 15, 30, 60];
const quickBuckets = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const firstTokenBuckets = [0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10];

export interface MetricRow {
  kind: 'counter' | 'gauge' | 'histogram';
  labels: readonly string[];
  buckets?: readonly number[];
  help: string;
}

export const metricTable = {
  api_gateway_queries_total: {
    kind: 'counter',
    labels: ['outcome', 'mode'],
    help: 'Queries answered, by outcome (ok, refused, rejected, timeout, cancelled, error) and mode (sync, stream, async).',
  },
  api_gateway_query_latency_seconds: {
    kind: 'histogram',
    labels: ['outcome', 'mode'],
    buckets: latencyBuckets,
    help: 'Time from the request to the end of its answer.',
  },
  api_gateway_replica_load: {
    kind: 'gauge',
    labels: ['replica'],
    help: 'Leases a generator replica holds; the same number as llm:load:<URL>.',
  },
  api_gateway_inflight_queries: { kind: 'gauge', labels: [], help: 'Queries this gateway waits for.' },
  api_gateway_http_request_duration_seconds: {
    kind: 'histogram',
    labels: ['method', 'route', 'status_class'],
    buckets: quickBuckets,
    help: 'HTTP requests by route template.',
  },
  api_gateway_time_to_first_token_seconds: {
    kind: 'histogram',
    labels: [],
    buckets: firstTokenBuckets,
    help: 'Streams: from the request to the first delta.',
  },
  api_gateway_stream_aborted_total: {
    kind: 'counter',
    labels: ['by'],
    help: 'Streams that ended early, by client or server.',
  },
  rag_stage_duration_seconds: {
    kind: 'histogram',
    labels: ['stage', 'outcome'],
    buckets: latencyBuckets,
    help: 'Service time of a stage, without the wait in its list.',
  },
  rag_queue_wait_seconds: {
    kind: 'histogram',
    labels: ['queue'],
    buckets: quickBuckets,
    help: 'Time a job waited in a list before it was claimed.',
  },
  rag_queue_jobs_total: {
    kind: 'counter',
    labels: ['queue', 'event'],
    help: 'Jobs by what became of them (claimed, forwarded, completed, retried, dead, expired, cancelled, fenced, adopted, redelivered, returned).',
  },
  rag_dead_letters_total: {
    kind: 'counter',
    labels: ['queue', 'code'],
    help: 'Jobs that were buried, by queue and failure code.',
  },
  rag_dead_letters: {
    kind: 'gauge',
    labels: ['queue'],
    help: 'Dead letters that are kept (at most a thousand, or 16 MiB, a queue), as the gateway finds them.',
  },
  rag_queue_in_progress: { kind: 'gauge', labels: ['queue'], help: 'Jobs this process works on.' },
  rag_worker_heartbeat_timestamp_seconds: {
    kind: 'gauge',
    labels: ['role'],
    help: 'Unix time of the last beat Redis accepted.',
  },
  rag_retrieval_top_score: {
    kind: 'histogram',
    labels: ['index'],
    buckets: [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1],
    help: 'Best cosine of a search.',
  },
  rag_retrieval_empty_total: {
    kind: 'counter',
    labels: ['index'],
    help: 'Searches with nothing above the floor.',
  },
  rag_generation_tokens_total: {
    kind: 'counter',
    labels: ['direction'],
    help: 'Tokens in and out of the model.',
  },
  rag_llm_requests_total: {
    kind: 'counter',
    labels: ['provider', 'outcome'],
    help: 'Calls of the language model by outcome (ok, client_error, server_error, rate_limited, timeout, connect, malformed, aborted).',
  },
  rag_answer_checks_total: {
    kind: 'counter',
    labels: ['check', 'result'],
    help: 'What the server checked of answers: citations kept, invented marks removed, refusals.',
  },
  rag_embedding_texts_total: {
    kind: 'counter',
    labels: ['priority', 'result'],
    help: 'Texts through the sentence encoder.',
  },
  rag_ingest_documents_total: {
    kind: 'counter',
    labels: ['type', 'outcome'],
    help: 'Documents by type and outcome.',
  },
  rag_ingest_bytes_total: {
    kind: 'counter',
    labels: ['type', 'outcome'],
    help: 'Bytes of the originals whose ingest ended, by type and outcome.',
  },
  rag_ingest_pages_total: {
    kind: 'counter',
    labels: ['type', 'outcome'],
    help: 'Pages of documents whose ingest ended, by type and outcome.',
  },
  rag_ingest_chunks_total: {
    kind: 'counter',
    labels: ['type', 'outcome'],
    help: 'Chunks of documents whose ingest ended, by type and outcome.',
  },
  rag_ingest_freshness_seconds: {
    kind: 'histogram',
    labels: ['type'],
    buckets: [0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600],
    help: 'From the acceptance of a document to the moment it can be found.',
  },
  rag_ingest_stage_duration_seconds: {
    kind: 'histogram',
    labels: ['stage'],
    buckets: [0.01, 0.05, 0.1, 0.5, 1, 5, 15, 30, 60, 120, 300, 600, 1800],
    help: 'Time a document spent being parsed and chunked, embedded and stored, published.',
  },
  rag_ingest_open_jobs: {
    kind: 'gauge',
    labels: [],
    help: 'Documents accepted and not ended, by the registry.',
  },
  rag_ingest_swept_total: {
    kind: 'counter',
    labels: [],
    help: 'Jobs that the queue had lost and the sweeper queued again.',
  },
  rag_webhook_deliveries_total: {
    kind: 'counter',
    labels: ['outcome'],
    help: 'Webhook deliveries tried, by outcome (delivered, retried, failed, blocked).',
  },
  rag_cache_lookups_total: {
    kind: 'counter',
    labels: ['cache', 'result'],
    help: 'Look-ups by cache (answer, retrieval, embedding) and result: hit, miss, stale (there, but of an older collection version or other settings), bypass (not asked for, or no cache answers).',
  },
  rag_cache_errors_total: {
    kind: 'counter',
    labels: ['cause'],
    help: 'Cache commands that came to nothing: late, away, refused (full, read-only), too_large (entries not kept).',
  },
  rag_cache_available: {
    kind: 'gauge',
    labels: [],
    help: '1 while the cache Redis answers in time; 0: queries run without caches.',
  },
  api_gateway_shared_queries_total: {
    kind: 'counter',
    labels: [],
    help: 'Queries that waited for the answer to an identical one instead of running themselves.',
  },
} as const satisfies Record<string, MetricRow>;

export type MetricTable = typeof metricTable;
export type MetricName = keyof MetricTable;
