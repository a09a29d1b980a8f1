import { type DocumentMediaType, documentMediaTypes } from '@vortex/documents';
import { type Metrics, metricTable } from '@vortex/observability';

/**
 * Counts how documents end. `published`, `superseded` (a newer version was there first), `unchanged` (nothing was to
 * be done), `rejected` (no try could help: the file, the settings), `failed` (tries ran out, poison, deadline),
 * `cancelled` (by request, or with its document).
 */
export type IngestEnd = 'published' | 'superseded' | 'unchanged' | 'rejected' | 'failed' | 'cancelled';

export interface EndedDocument {
  mediaType: string;
  bytes: number;
  pages?: number | null;
  chunks?: number;
}

export function countEnd(metrics: Metrics, outcome: IngestEnd, ended: EndedDocument): void {
  const labels = { type: typeLabel(ended.mediaType), outcome };
  metrics.add('rag_ingest_documents_total', labels);
  metrics.add('rag_ingest_bytes_total', labels, ended.bytes);
  if (ended.pages != null) metrics.add('rag_ingest_pages_total', labels, ended.pages);
  if (ended.chunks !== undefined) metrics.add('rag_ingest_chunks_total', labels, ended.chunks);
}

/**
 * What may be counted stands at 0 from the start: the types are closed here, where the table of metrics cannot see it.
 * Pages and chunks are known only of what was read to its end.
 */
export function beginCountingEnds(metrics: Metrics): void {
  const { outcome } = metricTable.rag_ingest_documents_total.labels;
  for (const type of [...documentMediaTypes, 'other']) {
    for (const one of outcome) {
      metrics.add('rag_ingest_documents_total', { type, outcome: one }, 0);
      metrics.add('rag_ingest_bytes_total', { type, outcome: one }, 0);
    }
    for (const one of ['published', 'superseded'] as const) {
      metrics.add('rag_ingest_pages_total', { type, outcome: one }, 0);
      metrics.add('rag_ingest_chunks_total', { type, outcome: one }, 0);
    }
  }
}

/** Labels come from a closed set; a type that was never read has none of its own. */
export function typeLabel(mediaType: string): DocumentMediaType | 'other' {
  return documentMediaTypes.find((known) => known === mediaType) ?? 'other';
}
