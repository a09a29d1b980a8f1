import type { ChunkingStrategy } from '@vortex/contracts';

/** What the port `Registry` is given and gives: collections, documents and their versions. */
export interface NewCollection {
  tenant: string;
  name: string;
  relevanceFloor?: number;
  /** Tokens. */
  chunkSize?: number;
  chunkOverlap?: number;
  chunkingStrategy?: ChunkingStrategy;
  /** Binds the collection from the start. */
  model?: { embeddingModel: string; dimension: number };
}

export interface CollectionChanges {
  relevanceFloor?: number | null;
  chunkSize?: number | null;
  chunkOverlap?: number | null;
  chunkingStrategy?: ChunkingStrategy | null;
}

/** Contents that no version owns any more, by this call: their files may go (after asking `ownedContents` again). */
export interface Unreferenced {
  originals: string[];
  texts: string[];
}
export type ContentKind = 'original' | 'text';

export interface Collection {
  tenant: string;
  name: string;
  /** Fingerprint of the model of its vectors; null until the first are stored. */
  embeddingModel: string | null;
  dimension: number | null;
  /** Null: the configuration's default. */
  relevanceFloor: number | null;
  chunkSize: number | null;
  chunkOverlap: number | null;
  chunkingStrategy: ChunkingStrategy | null;
  /** Moves whenever what a search may return, or how, has changed. */
  revision: number;
  createdAt: number;
  updatedAt: number;
}

export interface CollectionSummary extends Collection {
  /** Of visible documents. */
  documents: number;
  chunks: number;
  bytes: number;
}

export interface ModelOfCollection {
  tenant: string;
  collection: string;
  embeddingModel: string;
  dimension: number;
}

export type ModelBinding =
  | { outcome: 'bound' | 'unchanged' }
  | { outcome: 'mismatch'; stored: { embeddingModel: string; dimension: number } };

export type VersionState = 'building' | 'visible' | 'superseded' | 'failed';
export type DocumentState = 'pending' | 'processing' | 'ready' | 'failed' | 'deleting';

export interface StoredGroup {
  /** Ordinal of the group's first chunk. */
  firstOrdinal: number;
  chunks: number;
}

export interface FinishedVersion {
  tenant: string;
  documentId: string;
  version: number;
  /** Name of the extracted text in the text store. */
  textHash: string;
  chunks: number;
  tokens: number;
  /** What the job says at its end; the ids and the number of chunks are added to it. */
  result: Record<string, unknown>;
}

export interface ParsedVersion {
  tenant: string;
  documentId: string;
  version: number;
  textHash: string;
  /** Null where the format has none. */
  pages: number | null;
  chunks: number;
  tokens: number;
  /** The document's own title, for versions that were given none. */
  title: string | null;
  mediaType: string;
}

export interface AuditedVersion {
  collection: string;
  documentId: string;
  version: number;
  state: VersionState;
  /** The document is being deleted. */
  deleting: boolean;
  chunks: number;
  /** Null for versions of before originals were kept. */
  originalHash: string | null;
  textHash: string | null;
}

/**
 * `superseded`: a newer version was published first, so this one will not be seen.
 * `deleted`: the document was deleted meanwhile. `lost`: the version was given up or is unknown.
 */
export type Publication = 'published' | 'superseded' | 'deleted' | 'lost';

export interface DocumentError {
  code: string;
  message: string;
}

export interface DocumentRecord {
  documentId: string;
  tenant: string;
  collection: string;
  /** Null only while deleting. */
  externalId: string | null;
  title: string;
  filename: string | null;
  mediaType: string;
  state: DocumentState;
  /** The visible version; 0 when nothing of the document can be found yet. */
  version: number;
  bytes: number;
  /** Null where the format has none. */
  pages: number | null;
  chunks: number;
  tokens: number;
  /** SHA-256 of the visible version's original bytes; also the name of the original. */
  contentHash: string | null;
  textHash: string | null;
  metadata: Record<string, unknown>;
  lastError: DocumentError | null;
  createdAt: number;
  updatedAt: number;
}

/**
 * Of the last entry of a page, so that the next one begins behind it. It says where the entry stood, not only which it
 * was: the entry may be gone by then, and the pages behind it must not be gone with it.
 */
export interface ListPlace {
  createdAt: number;
  id: string;
}

export interface DocumentFilter {
  collection?: string;
  /** Of any of these. */
  collections?: readonly string[];
  state?: DocumentState;
  ids?: readonly string[];
  /** A part of title, file name or external id, whatever its case. */
  q?: string;
  after?: ListPlace;
  /** Default 50. */
  limit?: number;
}

export interface VisibleVersion {
  documentId: string;
  version: number;
  title: string;
  chunks: number;
  metadata: Record<string, unknown>;
}

export interface StaleVersion {
  tenant: string;
  collection: string;
  documentId: string;
  version: number;
}
