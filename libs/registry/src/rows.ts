import type { ChunkingStrategy, JobStage, JobStatus, WebhookEventType } from '@vortex/contracts';
import type { JobEventRecord, JobRecord } from './jobs.ts';
import type { Collection, CollectionSummary, DocumentRecord, DocumentState } from './records.ts';
import type { Row } from './sql/steps.ts';
import type { JobTurn } from './upload-turns.ts';
import type { DeliveryRecord, WebhookRecord } from './webhooks.ts';

/** From the database's rows to the port's records. A column of another kind than the schema's is a bug, and said so. */
export function text(row: Row, column: string): string {
  const value = row[column];
  if (typeof value !== 'string') throw new TypeError(`column ${column} is ${typeof value}, not text`);
  return value;
}

export function number(row: Row, column: string): number {
  const value = row[column];
  if (typeof value !== 'number') throw new TypeError(`column ${column} is ${typeof value}, not a number`);
  return value;
}

export const textOrNull = (row: Row, column: string) => (row[column] === null ? null : text(row, column));
export const numberOrNull = (row: Row, column: string) => (row[column] === null ? null : number(row, column));
export const flag = (row: Row, column: string) => number(row, column) === 1;

/** Written by us with JSON.stringify; the columns' kinds are those of the port. */
export const json = (row: Row, column: string) => JSON.parse(text(row, column)) as Record<string, unknown>;

export function collectionFrom(row: Row): Collection {
  return {
    tenant: text(row, 'tenant'),
    name: text(row, 'name'),
    embeddingModel: textOrNull(row, 'embedding_model'),
    dimension: numberOrNull(row, 'dimension'),
    relevanceFloor: numberOrNull(row, 'relevance_floor'),
    chunkSize: numberOrNull(row, 'chunk_size'),
    chunkOverlap: numberOrNull(row, 'chunk_overlap'),
    chunkingStrategy: textOrNull(row, 'chunking_strategy') as ChunkingStrategy | null,
    revision: number(row, 'revision'),
    createdAt: number(row, 'created_at'),
    updatedAt: number(row, 'updated_at'),
  };
}

export function summaryFrom(row: Row): CollectionSummary {
  return {
    ...collectionFrom(row),
    documents: number(row, 'documents'),
    chunks: number(row, 'chunks'),
    bytes: number(row, 'bytes'),
  };
}

export function documentFrom(row: Row): DocumentRecord {
  const code = textOrNull(row, 'last_error_code');
  return {
    documentId: text(row, 'id'),
    tenant: text(row, 'tenant'),
    collection: text(row, 'collection'),
    externalId: textOrNull(row, 'external_id'),
    title: text(row, 'title'),
    filename: textOrNull(row, 'filename'),
    mediaType: text(row, 'media_type'),
    // The column's CHECK lets nothing else in.
    state: text(row, 'state') as DocumentState,
    version: number(row, 'visible_version'),
    bytes: number(row, 'bytes'),
    pages: numberOrNull(row, 'pages'),
    chunks: number(row, 'chunks'),
    tokens: number(row, 'tokens'),
    contentHash: textOrNull(row, 'content_hash'),
    textHash: textOrNull(row, 'text_hash'),
    metadata: json(row, 'metadata'),
    lastError: code === null ? null : { code, message: textOrNull(row, 'last_error') ?? '' },
    createdAt: number(row, 'created_at'),
    updatedAt: number(row, 'updated_at'),
  };
}

export function jobFrom(row: Row): JobRecord {
  return {
    id: text(row, 'id'),
    tenant: text(row, 'tenant'),
    type: text(row, 'type'),
    ...progressFrom(row),
    payload: json(row, 'payload'),
    result: row.result === null ? null : json(row, 'result'),
    retryCount: number(row, 'retry_count'),
    maxRetries: number(row, 'max_retries'),
    deliveries: number(row, 'deliveries'),
    cancelRequested: flag(row, 'cancel_requested'),
    // The column's CHECK lets nothing else in.
    turn: text(row, 'turn') as JobTurn,
    collection: text(row, 'collection'),
    documentId: text(row, 'document_id'),
    version: number(row, 'version'),
    webhookUrl: textOrNull(row, 'webhook_url'),
    traceparent: textOrNull(row, 'traceparent'),
    createdAt: number(row, 'created_at'),
    updatedAt: number(row, 'updated_at'),
    startedAt: numberOrNull(row, 'started_at'),
    completedAt: numberOrNull(row, 'completed_at'),
  };
}

export function jobEventFrom(row: Row): JobEventRecord {
  return { sequence: number(row, 'sequence'), at: number(row, 'at'), ...progressFrom(row) };
}

function progressFrom(row: Row) {
  return {
    // The column's CHECK lets nothing else in; stages are written by `changeJob` alone.
    status: text(row, 'status') as JobStatus,
    stage: textOrNull(row, 'stage') as JobStage | null,
    progress: number(row, 'progress'),
    message: textOrNull(row, 'message'),
    etaMs: numberOrNull(row, 'eta_ms'),
    error: textOrNull(row, 'error'),
    errorCode: textOrNull(row, 'error_code'),
  };
}

export function webhookFrom(row: Row): WebhookRecord {
  return {
    id: text(row, 'id'),
    tenant: text(row, 'tenant'),
    url: text(row, 'url'),
    events: JSON.parse(text(row, 'events')) as WebhookEventType[],
    secret: text(row, 'secret'),
    description: textOrNull(row, 'description'),
    createdAt: number(row, 'created_at'),
  };
}

export function deliveryFrom(row: Row): DeliveryRecord {
  return {
    id: text(row, 'id'),
    webhookId: textOrNull(row, 'webhook_id'),
    url: text(row, 'url'),
    eventId: text(row, 'event_id'),
    eventType: text(row, 'event_type'),
    // The column's CHECK lets nothing else in.
    state: text(row, 'state') as DeliveryRecord['state'],
    attempts: number(row, 'attempts'),
    statusCode: numberOrNull(row, 'status_code'),
    error: textOrNull(row, 'error'),
    nextAttemptAt: numberOrNull(row, 'next_attempt_at'),
    createdAt: number(row, 'created_at'),
    deliveredAt: numberOrNull(row, 'delivered_at'),
  };
}
