import { dashboard, graph, quantiles, ratesBy, stat } from './panels.ts';

/** Documents on their way in. */
export const ingest = dashboard({
  uid: 'vortex-ingest',
  title: 'Vortex / 5 Ingest',
  description: 'Documents accepted, read, stored, found; what was rejected or failed; webhooks.',
  rows: [
    {
      title: 'Index',
      panels: [
        stat({
          title: 'Documents',
          description: 'That can be found.',
          unit: 'short',
          expr: 'max(rag_index_documents{$own})',
        }),
        stat({
          title: 'Chunks',
          description: 'Of documents that can be found.',
          unit: 'short',
          expr: 'max(rag_index_chunks{$own})',
        }),
        stat({
          title: 'Originals',
          description: 'Bytes of the documents that can be found.',
          unit: 'bytes',
          expr: 'max(rag_index_bytes{$own})',
        }),
        stat({
          title: 'Open jobs',
          description: 'Documents accepted and not ended, by the registry.',
          unit: 'short',
          expr: 'max(rag_ingest_open_jobs{$own})',
        }),
        stat({
          title: 'Found within, P95',
          description: 'From the acceptance of a document to the moment it can be found, of an hour.',
          unit: 's',
          expr: 'histogram_quantile(0.95, sum by (le) (rate(rag_ingest_freshness_seconds_bucket{$own}[1h])))',
          bounds: { doubtful: 60, bad: 300 },
        }),
        stat({
          title: 'Failed, last hour',
          description: 'Share of documents that failed on our side; rejected ones are the file’s fault.',
          unit: 'percentunit',
          expr: '(sum(rate(rag_ingest_documents_total{$own, outcome="failed"}[1h])) or vector(0)) / sum(rate(rag_ingest_documents_total{$own}[1h]))',
          bounds: { doubtful: 0.02, bad: 0.1 },
          decimals: 1,
        }),
      ],
    },
    {
      title: 'Documents',
      panels: [
        graph({
          title: 'Ends of documents',
          description: 'By outcome, in a second.',
          unit: 'ops',
          queries: [ratesBy('outcome', 'rag_ingest_documents_total')],
          stacked: true,
        }),
        graph({
          title: 'Until it can be found',
          description: 'Freshness. IngestFreshnessSlow fires when P95 passes 300 s.',
          unit: 's',
          queries: quantiles('rag_ingest_freshness_seconds'),
        }),
        graph({
          title: 'Where the time goes, P95',
          description: 'Parsed and chunked, embedded and stored, published.',
          unit: 's',
          queries: [
            {
              expr: 'histogram_quantile(0.95, sum by (stage, le) (rate(rag_ingest_stage_duration_seconds_bucket{$own}[$__rate_interval])))',
              legend: '{{stage}}',
            },
          ],
        }),
        graph({
          title: 'By type',
          description: 'Documents that ended, by media type.',
          unit: 'ops',
          queries: [ratesBy('type', 'rag_ingest_documents_total')],
        }),
        graph({
          title: 'Bytes',
          description: 'Of the originals whose ingest ended.',
          unit: 'Bps',
          queries: [ratesBy('outcome', 'rag_ingest_bytes_total')],
        }),
        graph({
          title: 'Chunks and pages',
          description: 'Of the documents whose ingest ended.',
          unit: 'ops',
          queries: [
            { expr: 'sum(rate(rag_ingest_chunks_total{$own}[$__rate_interval]))', legend: 'chunks' },
            { expr: 'sum(rate(rag_ingest_pages_total{$own}[$__rate_interval]))', legend: 'pages' },
          ],
        }),
      ],
    },
    {
      title: 'Lists, and who is told',
      panels: [
        graph({
          title: 'Documents that wait',
          description: 'Depth of the lists of documents.',
          unit: 'short',
          queries: [
            {
              expr: 'queue:rag_queue_depth:max{queue=~"ingestion_queue|queue:document_upload|.+:low"}',
              legend: '{{queue}}',
            },
          ],
        }),
        graph({
          title: 'Swept',
          description: 'Jobs that the queue had lost and the sweeper queued again, in each window.',
          unit: 'short',
          queries: [
            { expr: 'sum(increase(rag_ingest_swept_total{$own}[$__rate_interval]))', legend: 'swept' },
          ],
        }),
        graph({
          title: 'Webhook deliveries',
          description: 'By outcome; and how many wait (WebhookBacklog fires above 100).',
          unit: 'short',
          queries: [
            {
              expr: 'sum by (outcome) (increase(rag_webhook_deliveries_total{$own}[$__rate_interval]))',
              legend: '{{outcome}}',
            },
            { expr: 'max(rag_webhook_pending{$own})', legend: 'waiting' },
          ],
        }),
      ],
    },
  ],
});
