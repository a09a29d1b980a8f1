import { ingestOutcome, mediaType } from './label-sets.ts';
import { buckets, type MetricRow } from './row.ts';

const ingest = ['ingest'] as const;
const ended = { type: mediaType, outcome: ingestOutcome } as const;

export const ingestRows = {
  rag_ingest_documents_total: {
    kind: 'counter',
    services: ingest,
    labels: ended,
    help: 'Documents by type and outcome.',
  },
  rag_ingest_bytes_total: {
    kind: 'counter',
    services: ingest,
    labels: ended,
    help: 'Bytes of the originals whose ingest ended, by type and outcome.',
  },
  rag_ingest_pages_total: {
    kind: 'counter',
    services: ingest,
    labels: ended,
    help: 'Pages of documents whose ingest ended, by type and outcome.',
  },
  rag_ingest_chunks_total: {
    kind: 'counter',
    services: ingest,
    labels: ended,
    help: 'Chunks of documents whose ingest ended, by type and outcome.',
  },
  rag_ingest_freshness_seconds: {
    kind: 'histogram',
    services: ingest,
    labels: { type: mediaType },
    buckets: buckets.freshness,
    help: 'From the acceptance of a document to the moment it can be found.',
  },
  rag_ingest_stage_duration_seconds: {
    kind: 'histogram',
    services: ingest,
    labels: { stage: ['parse', 'embed', 'publish'] },
    buckets: buckets.ingest,
    help: 'Time a document spent being parsed and chunked, embedded and stored, published.',
  },
  rag_ingest_open_jobs: {
    kind: 'gauge',
    services: ingest,
    labels: {},
    help: 'Documents accepted and not ended, by the registry.',
  },
  rag_ingest_swept_total: {
    kind: 'counter',
    services: ingest,
    labels: {},
    help: 'Jobs that the queue had lost and the sweeper queued again.',
  },
  rag_index_documents: {
    kind: 'gauge',
    services: ingest,
    labels: {},
    help: 'Documents that can be found, of all tenants and collections.',
  },
  rag_index_chunks: {
    kind: 'gauge',
    services: ingest,
    labels: {},
    help: 'Chunks of documents that can be found.',
  },
  rag_index_bytes: {
    kind: 'gauge',
    services: ingest,
    labels: {},
    help: 'Bytes of the originals of documents that can be found.',
  },
  rag_index_last_snapshot_timestamp_seconds: {
    kind: 'gauge',
    services: ingest,
    labels: {},
    help: 'Unix time at which the backup last touched `data.snapshot_marker`; 0: never. Absent where no marker is set.',
  },
  rag_webhook_deliveries_total: {
    kind: 'counter',
    services: ingest,
    labels: { outcome: ['delivered', 'retried', 'failed', 'blocked'] },
    help: 'Webhook deliveries tried, by outcome.',
  },
  rag_webhook_pending: {
    kind: 'gauge',
    services: ingest,
    labels: {},
    help: 'Webhook deliveries in the outbox that have not ended.',
  },
} as const satisfies Record<string, MetricRow>;
