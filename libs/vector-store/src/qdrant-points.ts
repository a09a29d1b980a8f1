import { createHash } from 'node:crypto';
import { StoreRefused } from './errors.ts';
import { sparseOfChunk } from './qdrant-sparse.ts';
import { uuidOf } from './row-id.ts';
import type {
  DocumentVersion,
  RowFilter,
  Scope,
  StoredChunk,
  StoredRow,
  VectorModel,
} from './vector-store.ts';

/**
 * How chunks lie in Qdrant. One Qdrant collection per model and dimension holds the rows of all tenants
 * and collections, told apart by payload fields, as Qdrant advises (docs/decisions/0004). A second,
 * small one, the catalog, says which collections exist and with which model.
 */
export const vectorName = 'dense';
/** Its values are the words' parts of BM25 (qdrant-sparse.ts). */
export const sparseName = 'lexical';

export type Payload = Record<string, unknown>;

/** A filter of Qdrant, as far as we use it. A type, not an interface: the client's types want an index signature. */
export type Condition = { key: string; match: { value: string | number } | { any: string[] } };
export type Filter = {
  must: (Condition | { should: { must: Condition[] }[] } | { has_id: string[] } | { has_vector: string })[];
  must_not?: { must: Condition[] }[];
};

/** Indexed, or a filter on it would look at every point (and Qdrant's strict mode would refuse it). */
export const payloadIndexes = [
  { field_name: 'tenant', field_schema: { type: 'keyword', is_tenant: true } },
  { field_name: 'collection', field_schema: { type: 'keyword' } },
  { field_name: 'document_id', field_schema: { type: 'keyword' } },
  { field_name: 'version', field_schema: { type: 'integer' } },
] as const;

export function rowsCollection(prefix: string, model: VectorModel): string {
  const digest = createHash('sha256').update(model.modelFingerprint).digest('hex').slice(0, 16);
  return `${prefix}-${model.dimension}-${digest}`;
}

export function catalogCollection(prefix: string): string {
  return `${prefix}-catalog`;
}

export function catalogId(scope: Scope): string {
  return uuidOf(['catalog', scope.tenant, scope.collection]);
}

export function catalogPayload(scope: Scope, model: VectorModel): Payload {
  return {
    tenant: scope.tenant,
    collection: scope.collection,
    dimension: model.dimension,
    model_fingerprint: model.modelFingerprint,
  };
}

/** @throws StoreRefused when another program wrote the entry. */
export function modelOfPayload(payload: Payload | null | undefined): VectorModel {
  const { dimension, model_fingerprint: modelFingerprint } = payload ?? {};
  if (typeof dimension !== 'number' || typeof modelFingerprint !== 'string') {
    throw new StoreRefused("an entry of Vortex's catalog in Qdrant has no model: was it written by hand?");
  }
  return { dimension, modelFingerprint };
}

/** Null for an entry of another program. */
export function scopeOfPayload(payload: Payload | null | undefined): Scope | null {
  const { tenant, collection } = payload ?? {};
  return typeof tenant === 'string' && typeof collection === 'string' ? { tenant, collection } : null;
}

/** True for the rows of one collection; the first thing in every filter. */
export function within(scope: Scope): Filter {
  return {
    must: [
      { key: 'tenant', match: { value: scope.tenant } },
      { key: 'collection', match: { value: scope.collection } },
    ],
  };
}

/** One condition per version number, with the documents as a list: a handful however many documents there are. */
export function versionConditions(versions: readonly DocumentVersion[]): Condition[][] {
  const byNumber = new Map<number, Set<string>>();
  for (const { document_id, version } of versions) {
    const documents = byNumber.get(version) ?? new Set<string>();
    byNumber.set(version, documents.add(document_id));
  }
  return [...byNumber].map(([version, documents]) => [
    { key: 'version', match: { value: version } },
    { key: 'document_id', match: { any: [...documents] } },
  ]);
}

/** `included` must not be empty: Qdrant takes an empty list of alternatives for no condition at all. */
export function searchFilter(scope: Scope, { included, excluded }: RowFilter): Filter {
  const { must } = within(scope);
  if (included !== undefined)
    must.push({ should: versionConditions(included).map((all) => ({ must: all })) });
  if (excluded === undefined || excluded.length === 0) return { must };
  return { must, must_not: versionConditions(excluded).map((all) => ({ must: all })) };
}

export function toPoint(scope: Scope, { id, vector, ...chunk }: StoredRow) {
  return {
    id,
    vector: { [vectorName]: [...vector], [sparseName]: sparseOfChunk(chunk) },
    payload: { tenant: scope.tenant, collection: scope.collection, ...chunk },
  };
}

/**
 * A number of a vector as JSON takes up to 23 characters; a character of text may become six, and a word of two
 * characters, with its space, adds a number and an index of ten digits.
 */
export function pointBytes(row: StoredRow): number {
  return 1000 + 23 * row.vector.length + 18 * (row.text.length + row.context.length) + 6 * row.title.length;
}

export function toChunk(id: string | number, payload: Payload | null | undefined): StoredChunk {
  // Written by `toPoint` of this or an earlier version; the id proves that a point is ours.
  const chunk = payload as unknown as Omit<StoredChunk, 'id'>;
  return {
    id: String(id),
    document_id: chunk.document_id,
    version: chunk.version,
    ordinal: chunk.ordinal,
    chunk_id: chunk.chunk_id,
    title: chunk.title,
    heading_path: chunk.heading_path,
    page: chunk.page,
    source_span: chunk.source_span,
    text: chunk.text,
    context: chunk.context,
    tokens: chunk.tokens,
  };
}

/** @throws StoreRefused when the point has no vector of ours. */
export function toVector(vector: unknown): Float32Array {
  const values: unknown = vector === null ? null : (vector as Record<string, unknown>)[vectorName];
  if (!Array.isArray(values))
    throw new StoreRefused('a point in Qdrant has no dense vector: ingest it again');
  return Float32Array.from(values);
}
