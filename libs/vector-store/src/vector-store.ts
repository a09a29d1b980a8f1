import type { Chunk } from '@vortex/contracts';

/**
 * The port. Chunks with their vectors, kept per tenant and collection, found again by cosine similarity or by
 * their words (BM25).
 *
 * What every adapter promises, and `conformance.ts` checks:
 * - tenant and collection are the first argument of every call; nothing crosses them.
 * - A row's id follows from (tenant, collection, document_id, version, ordinal): storing a group twice
 *   leaves one copy, and the later content.
 * - `upsert` and the deletes resolve when the change is durable and every later search sees it.
 * - A search never returns a version that its filter leaves out and still fills `limit` while enough other rows
 *   exist: the filter is part of the search, not a sieve behind it.
 * - What is searched by words is `searchedText`: the chunk's context and text, as `lexicalTerms` cuts them. How often
 *   a word occurs is counted over all rows, also those that a search may not return.
 * - Deletes of what is not there succeed: purging is retried until it has worked.
 *
 * Which version of a document is visible is the registry's knowledge, not the store's.
 */
export interface VectorStore {
  /**
   * Creates the collection, or checks that it was created for the same vectors.
   * @throws ModelMismatch when it holds vectors of another model or dimension.
   */
  ensureCollection(scope: Scope, model: VectorModel): Promise<void>;
  /** Null when there is no such collection. */
  describe(scope: Scope): Promise<CollectionDescription | null>;
  /** Removes the collection and all its rows. */
  dropCollection(scope: Scope): Promise<void>;

  /** @throws UnknownCollection, DimensionMismatch, InvalidRow (none of the rows was stored then). */
  upsert(scope: Scope, rows: readonly ChunkRow[]): Promise<void>;
  /** By cosine, best first. @throws UnknownCollection, DimensionMismatch */
  search(scope: Scope, query: VectorQuery): Promise<StoreHit[]>;
  /** The same rows without their chunks: for candidates, of which few are shown. */
  rank(scope: Scope, query: VectorQuery): Promise<RankedRow[]>;
  /**
   * By BM25, best first; equal scores in order of their ids. Rows that have none of the words are none.
   * @throws UnknownCollection
   */
  rankText(scope: Scope, query: TextQuery): Promise<RankedRow[]>;
  /** The cosine of rows found otherwise; ids that are gone are left out. @throws UnknownCollection, DimensionMismatch */
  cosines(scope: Scope, vector: Float32Array, ids: readonly string[]): Promise<Map<string, number>>;
  /**
   * The chunks behind ids, in no particular order; ids that are gone are left out. As ids are derived
   * (row-id.ts), a chunk's neighbours are fetched by their ordinals.
   */
  fetch(scope: Scope, ids: readonly string[]): Promise<StoredChunk[]>;

  deleteVersions(scope: Scope, versions: readonly DocumentVersion[]): Promise<void>;
  deleteDocument(scope: Scope, documentId: string): Promise<void>;

  /** Every collection there is, of all tenants: for the audit, which knows those that should be. */
  listScopes(): Promise<Scope[]>;
  /** Every version that has rows, for purge and audit. Empty when there is no such collection. */
  listVersions(scope: Scope): Promise<StoredVersion[]>;
  /** Number of rows; 0 when there is no such collection. */
  count(scope: Scope): Promise<number>;
  /** Number of rows that a search by words looks at; after every write the same as `count`. */
  lexicalCount(scope: Scope): Promise<number>;
  /** Every row with its vector, in batches, in no particular order. @throws UnknownCollection */
  scan(scope: Scope): AsyncIterable<StoredRow[]>;

  health(): Promise<StoreHealth>;
  /** Ends writes that have begun, refuses new calls. May be called twice. */
  close(): Promise<void>;
}

export interface Scope {
  tenant: string;
  collection: string;
}

export interface VectorModel {
  dimension: number;
  /** Names the model and its weights: vectors of two fingerprints must never be compared. */
  modelFingerprint: string;
}

export interface CollectionDescription extends VectorModel {
  rows: number;
}

export interface DocumentVersion {
  document_id: string;
  version: number;
}

export interface StoredVersion extends DocumentVersion {
  rows: number;
}

/** A chunk as searches return it. Field names are the wire's (`libs/contracts`), so that nobody maps them. */
export type StoredChunk = Chunk & DocumentVersion & { title: string; id: string };

/** What is stored: its id is derived, see row-id.ts. `vector` has the collection's dimension. */
export type ChunkRow = Chunk & DocumentVersion & { title: string; vector: Float32Array };

/** A vector from `scan` points where the stored one did; its length may have been normalised by the store. */
export type StoredRow = StoredChunk & { vector: Float32Array };

/** Which rows a search may return. Lists must not be changed afterwards: what was made of them may be kept with them. */
export interface RowFilter {
  /** Versions that must not be returned: being written, or superseded and not purged yet. Normally a handful. */
  excluded?: readonly DocumentVersion[];
  /** Only rows of these versions may be returned; of an empty list, none. */
  included?: readonly DocumentVersion[];
}

export interface VectorQuery extends RowFilter {
  vector: Float32Array;
  /** At most this many hits, 1 to 1,000. */
  limit: number;
}

export interface TextQuery extends RowFilter {
  text: string;
  /** At most this many rows, 1 to 1,000. */
  limit: number;
}

/** `score` is what the search compares by. */
export interface RankedRow extends DocumentVersion {
  id: string;
  score: number;
}

export interface StoreHit {
  chunk: StoredChunk;
  /** Cosine similarity, −1 to 1. */
  score: number;
}

export interface StoreHealth {
  ok: boolean;
  /** For a person: what answers, or what is wrong and what to do. */
  detail: string;
}
