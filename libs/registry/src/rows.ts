import type { SQLOutputValue } from 'node:sqlite';
import type { Collection, CollectionSummary, DocumentRecord, DocumentState } from './registry.ts';

/** From the database's rows to the port's records. A column of another kind than the schema's is a bug, and said so. */
export type Row = Record<string, SQLOutputValue>;

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

const textOrNull = (row: Row, column: string) => (row[column] === null ? null : text(row, column));
const numberOrNull = (row: Row, column: string) => (row[column] === null ? null : number(row, column));

export function collectionFrom(row: Row): Collection {
  return {
    tenant: text(row, 'tenant'),
    name: text(row, 'name'),
    embeddingModel: textOrNull(row, 'embedding_model'),
    dimension: numberOrNull(row, 'dimension'),
    relevanceFloor: numberOrNull(row, 'relevance_floor'),
    chunkSize: numberOrNull(row, 'chunk_size'),
    chunkOverlap: numberOrNull(row, 'chunk_overlap'),
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
    mediaType: text(row, 'media_type'),
    // The column's CHECK lets nothing else in.
    state: text(row, 'state') as DocumentState,
    version: number(row, 'visible_version'),
    bytes: number(row, 'bytes'),
    chunks: number(row, 'chunks'),
    tokens: number(row, 'tokens'),
    contentHash: textOrNull(row, 'content_hash'),
    textHash: textOrNull(row, 'text_hash'),
    metadata: JSON.parse(text(row, 'metadata')) as Record<string, unknown>,
    lastError: code === null ? null : { code, message: textOrNull(row, 'last_error') ?? '' },
    createdAt: number(row, 'created_at'),
    updatedAt: number(row, 'updated_at'),
  };
}
