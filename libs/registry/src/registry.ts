import { StageFailure } from '@vortex/contracts';

/**
 * The registry: which collections and documents exist, and which version of a document may be found.
 * Redis may be wiped and the vector store rebuilt; what stands here is the truth about documents.
 *
 * Every method returns a Promise although SQLite answers at once: PostgreSQL is the second adapter of
 * this port, and `conformance.ts` is the contract of both. Times are epoch milliseconds. `tenant` is a
 * required argument: nothing is ever looked up by id alone. (`staleVersions` is the exception: it is
 * house-keeping across tenants, and names the tenant in each row.)
 *
 * The life of a version:
 *
 *   beginVersion ──► building ──publishVersion──► visible ──(a newer one is published,──► superseded
 *                       │                                    or the document deleted)         │
 *                       ├──failVersion, or abandoned──► failed ──────────────────────────────┤
 *                       └──publishVersion, but a newer one is visible already──► superseded ──┤
 *                                                                    rows purged, forgetVersion ▼ gone
 *
 * At most one version of a document is visible, and the switch is one transaction: a search sees the old
 * one or the new one, never both and never neither.
 */
export interface Registry {
  /** Creates the collection when it is missing; an existing one is returned as it is. */
  ensureCollection(input: NewCollection): Promise<Collection>;
  getCollection(tenant: string, name: string): Promise<Collection | null>;
  listCollections(tenant: string): Promise<CollectionSummary[]>;

  /**
   * The collection that a read of `name` means: `default` means `vortex-docs` as long as it has no visible
   * document and `vortex-docs` exists. Null: unknown. `default` is never unknown, at worst empty.
   * On every query's path: a few microseconds, cached until `changeCounter` moves.
   */
  resolveCollection(tenant: string, name: string): Promise<Collection | null>;

  /**
   * Ties a collection to the model of its first vectors. Later calls check: vectors of two models must
   * never meet in one collection. The store stage calls it before it writes.
   */
  bindModel(input: ModelOfCollection): Promise<ModelBinding>;

  /**
   * Opens a version for this content, creating the document when its external id is new. The same job
   * asking again gets the version it began. Nothing becomes visible by this.
   */
  beginVersion(input: NewVersion): Promise<BegunVersion>;

  /**
   * Notes that a group of chunks of a version being built stands in the store. Noting it twice is once; of
   * a version that is not being built any more nothing is noted.
   */
  noteStoredGroup(
    input: StoredGroup & { tenant: string; documentId: string; version: number },
  ): Promise<void>;
  /** What has been noted of a version being built, by place; empty for any other. */
  storedGroups(tenant: string, documentId: string, version: number): Promise<StoredGroup[]>;

  /**
   * The switch: makes the version the document's visible one, in one transaction with all that describes
   * it. Publishing twice is the same as once.
   */
  publishVersion(input: FinishedVersion): Promise<Publication>;

  /** Gives a version up. A visible older version stays visible and the document `ready`, with the error noted. */
  failVersion(input: FailedVersion): Promise<void>;

  /** Null when there is none, when it belongs to another tenant, or once its deletion has begun. */
  getDocument(tenant: string, documentId: string): Promise<DocumentRecord | null>;
  findDocument(tenant: string, collection: string, externalId: string): Promise<DocumentRecord | null>;
  /** Newest first, at most `limit`; `after` is the id of the last document of the page before. */
  listDocuments(tenant: string, filter?: DocumentFilter): Promise<DocumentRecord[]>;

  /** The document is invisible once this resolves; its rows in the store are then stale. False: no such document. */
  deleteDocument(tenant: string, documentId: string): Promise<boolean>;

  /** Everything a search in this collection may return. Cache it and ask again when the collection's `revision` moves. */
  visibleVersions(tenant: string, collection: string): Promise<VisibleVersion[]>;
  /** Null: unknown or forgotten. Rows are stored for `building` and `visible` versions only. */
  versionState(tenant: string, documentId: string, version: number): Promise<VersionState | null>;

  /**
   * Versions whose rows must leave the store, oldest first, at most `limit` (default 100). Versions that
   * nobody has finished since `abandonedBefore` (epoch ms; default 25 hours ago, longer than any ingest
   * job lives) are failed by this call and returned as well.
   */
  staleVersions(options?: { limit?: number; abandonedBefore?: number }): Promise<StaleVersion[]>;
  /** To be called when a stale version's rows are gone. The last one of a deleted document takes the document along. */
  forgetVersion(tenant: string, documentId: string, version: number): Promise<void>;

  /**
   * A number that moves whenever anything in the registry may have changed, by this process or another.
   * Read it BEFORE the data you cache: then the cached data is at least as new as the number.
   */
  changeCounter(): Promise<number>;

  close(): Promise<void>;
}

export interface NewCollection {
  tenant: string;
  name: string;
  relevanceFloor?: number;
  /** Tokens. */
  chunkSize?: number;
  chunkOverlap?: number;
}

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

export interface NewVersion {
  tenant: string;
  collection: string;
  /** The caller's id of the document, unique in its collection. */
  externalId: string;
  title: string;
  mediaType: string;
  /** Free JSON of the caller; `user_id` of the seeds lives in it. */
  metadata?: Record<string, unknown>;
  jobId: string;
  /** SHA-256 of the original bytes, and of everything else that shapes the chunks (title, sizes, model …). */
  contentHash: string;
  settingsHash: string;
  /** The job was delivered before: a version of it that lost to a newer one stays lost. Default false. */
  resume?: boolean;
}

/**
 * `begun`: build it (`resumed`: an earlier delivery of the same job began it, perhaps stored some of it).
 * `unchanged`: the same content with the same settings is visible already; nothing is to be done.
 * `superseded`: this job was done or overtaken in an earlier delivery; nothing is to be done.
 */
export type BegunVersion =
  | { outcome: 'begun'; documentId: string; version: number; resumed: boolean }
  | { outcome: 'unchanged' | 'superseded'; documentId: string; version: number; chunks: number };

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
  bytes: number;
  chunks: number;
  tokens: number;
}

/**
 * `superseded`: a newer version was published first, so this one will not be seen.
 * `deleted`: the document was deleted meanwhile. `lost`: the version was given up or is unknown.
 */
export type Publication = 'published' | 'superseded' | 'deleted' | 'lost';

export interface FailedVersion {
  tenant: string;
  documentId: string;
  version: number;
  error: DocumentError;
}

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
  mediaType: string;
  state: DocumentState;
  /** The visible version; 0 when nothing of the document can be found yet. */
  version: number;
  bytes: number;
  chunks: number;
  tokens: number;
  contentHash: string | null;
  textHash: string | null;
  metadata: Record<string, unknown>;
  lastError: DocumentError | null;
  createdAt: number;
  updatedAt: number;
}

export interface DocumentFilter {
  collection?: string;
  state?: DocumentState;
  after?: string;
  /** Default 50, at most 1000. */
  limit?: number;
}

export interface VisibleVersion {
  documentId: string;
  version: number;
  title: string;
  chunks: number;
}

export interface StaleVersion {
  tenant: string;
  collection: string;
  documentId: string;
  version: number;
}

/** The collection named does not exist; `ensureCollection` makes it. */
export class UnknownCollection extends StageFailure {
  constructor(tenant: string, collection: string) {
    super(
      'collection_not_found',
      `tenant ${tenant} has no collection ${collection}; it is created by the first ingest into it`,
    );
    this.name = 'UnknownCollection';
  }
}

/** What a person reads when vectors of two models would meet: what is stored, what came, and the two ways out. */
export class EmbeddingMismatch extends StageFailure {
  constructor(asked: ModelOfCollection, stored: { embeddingModel: string; dimension: number }) {
    super(
      'embedding_mismatch',
      `collection ${asked.collection} was built with ${stored.embeddingModel} (${stored.dimension} dimensions), ` +
        `not with ${asked.embeddingModel} (${asked.dimension}). Either set embedding.model back to the model it was ` +
        'built with, or ingest its documents again into a new collection.',
    );
    this.name = 'EmbeddingMismatch';
  }
}

/** Throws `EmbeddingMismatch` unless the binding holds. */
export function assertBound(asked: ModelOfCollection, binding: ModelBinding): void {
  if (binding.outcome === 'mismatch') throw new EmbeddingMismatch(asked, binding.stored);
}
