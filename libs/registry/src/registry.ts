import type { AcceptanceRegistry } from './acceptance.ts';
import type { AuditRegistry } from './admin-acts.ts';
import type { KeyRegistry } from './api-keys.ts';
import type { JobRegistry } from './jobs.ts';
import type {
  AuditedVersion,
  Collection,
  CollectionChanges,
  CollectionSummary,
  ContentKind,
  DocumentFilter,
  DocumentRecord,
  FinishedVersion,
  ModelBinding,
  ModelOfCollection,
  NewCollection,
  ParsedVersion,
  Publication,
  StaleVersion,
  StoredGroup,
  Unreferenced,
  VersionState,
  VisibleVersion,
} from './records.ts';
import type { WebhookRegistry } from './webhooks.ts';

/**
 * The registry: which collections and documents exist, and which version of a document may be found.
 * Redis may be wiped and the vector store rebuilt; what stands here is the truth about documents.
 *
 * Every method returns a Promise although SQLite answers at once: PostgreSQL is the second adapter of
 * this port, and `conformance.ts` is the contract of both. Times are epoch milliseconds. `tenant` is a
 * required argument: nothing is ever looked up by id alone. (The exceptions are house-keeping across tenants,
 * `staleVersions`, `claimJob`, `openJobs`, `findKey`, `claimDeliveries` …, whose answers name the tenant in each row.)
 *
 * Four parts have files of their own: how a document comes in (`acceptance.ts`), jobs (`jobs.ts`), webhooks
 * (`webhooks.ts`), keys (`api-keys.ts`). A change of a document and what it means for its job and for webhooks is one transaction:
 * nobody reads `completed` of a document that cannot be found, and no event of a change that was taken back.
 *
 * The life of a version:
 *
 * acceptDocuments ──► building ──publishVersion──► visible ──(a newer one is published,──► superseded
 *                       │                                    or the document deleted)         │
 *                       ├──endJob, cancelJob, or abandoned──► failed ─────────────────────────┤
 *                       └──publishVersion, but a newer one is visible already──► superseded ──┤
 *                                                                    rows purged, forgetVersion ▼ gone
 *
 * At most one version of a document is visible, and the switch is one transaction: a search sees the old
 * one or the new one, never both and never neither.
 */
export interface Registry
  extends AcceptanceRegistry,
    JobRegistry,
    WebhookRegistry,
    KeyRegistry,
    AuditRegistry {
  /**
   * Creates the collection when it is missing; an existing one is returned as it is.
   * @throws CollectionDeleting while one of that name is being removed.
   */
  ensureCollection(input: NewCollection): Promise<Collection>;
  /** Null: there is one of that name (also while it is being deleted). */
  createCollection(input: NewCollection): Promise<Collection | null>;
  /** Changes what is given (null: back to the default) and moves the revision. Null: no such collection. */
  updateCollection(tenant: string, name: string, changes: CollectionChanges): Promise<Collection | null>;
  /**
   * Hides the collection and all its documents at once (their jobs are cancelled, `document.deleted` is said of
   * each visible one); its rows and its name are free when `forgetCollection` has been called. Null: no such collection.
   */
  deleteCollection(tenant: string, name: string): Promise<{ documents: number } | null>;
  /** Collections whose rows must leave the store as a whole. */
  staleCollections(): Promise<{ tenant: string; name: string }[]>;
  /** To be called when a stale collection's rows are gone: removes it with its documents and versions, ends their jobs. */
  forgetCollection(tenant: string, name: string): Promise<Unreferenced>;
  /** Null also while it is being deleted. */
  getCollection(tenant: string, name: string): Promise<Collection | null>;
  listCollections(tenant: string): Promise<CollectionSummary[]>;
  summarizeCollection(tenant: string, name: string): Promise<CollectionSummary | null>;

  /**
   * The collection that a read of `name` means: `default` means `vortex-docs` as long as it has no visible
   * document and `vortex-docs` exists, unless it is `byNameOnly`. Null: unknown. `default` is never unknown, at worst
   * empty. On every query's path: a few microseconds, cached until `changeCounter` moves.
   */
  resolveCollection(
    tenant: string,
    name: string,
    options?: { byNameOnly: boolean },
  ): Promise<Collection | null>;

  /**
   * Ties a collection to the model of its first vectors. Later calls check: vectors of two models must
   * never meet in one collection. The store stage calls it before it writes.
   */
  bindModel(input: ModelOfCollection): Promise<ModelBinding>;

  /**
   * Notes that a group of chunks of a version being built stands in the store, and counts its job's deliveries from 0
   * again. Noting it twice is once; of a version that is not being built any more nothing is noted.
   */
  noteStoredGroup(
    input: StoredGroup & { tenant: string; documentId: string; version: number },
  ): Promise<void>;
  /** What has been noted of a version being built, by place; empty for any other. */
  storedGroups(tenant: string, documentId: string, version: number): Promise<StoredGroup[]>;

  /** Notes what parsing has found out about a version being built; of any other nothing is noted. */
  noteParsed(input: ParsedVersion): Promise<void>;

  /**
   * The switch: makes the version the document's visible one, in one transaction with all that describes
   * it, the end of its job (`completed`, 100 %) and the event `document.ready`. Publishing twice is the same as
   * once. The job is completed also when the version was overtaken (`superseded`).
   */
  publishVersion(input: FinishedVersion): Promise<Publication>;

  /** Null when there is none, when it belongs to another tenant, or once its deletion has begun. */
  getDocument(tenant: string, documentId: string): Promise<DocumentRecord | null>;
  findDocument(tenant: string, collection: string, externalId: string): Promise<DocumentRecord | null>;
  /** Newest first, at most `limit`, behind `after`. */
  listDocuments(tenant: string, filter?: DocumentFilter): Promise<DocumentRecord[]>;

  /**
   * The document is invisible once this resolves; its rows in the store are then stale, jobs that were building
   * versions of it are asked to stop, `document.deleted` is said. False: no such document.
   */
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
  /**
   * To be called when a stale version's rows are gone; a job that was to be cancelled is `cancelled` by it. The last one of a
   * deleted document takes the document along. A failed version whose job may be reopened is forgotten but for its
   * original, which it owns until it is stale once more (a newer version, a deletion, the job's 30 days).
   */
  forgetVersion(tenant: string, documentId: string, version: number): Promise<Unreferenced>;

  /** Every version of every document of the tenant (one collection's, if named), for the audit; read as one moment saw it. */
  auditVersions(tenant: string, collection?: string): Promise<AuditedVersion[]>;
  /** Which of these content names (SHA-256) some version of any tenant owns as its original or its text. */
  ownedContents(kind: ContentKind, hashes: readonly string[]): Promise<Set<string>>;
  listTenants(): Promise<string[]>;
  /** Of all tenants and collections: what can be found. Reads every document's row. */
  indexTotals(): Promise<{ documents: number; chunks: number; bytes: number }>;

  /**
   * A number that moves whenever collections, documents or versions may have changed, by this process or another.
   * (Jobs, webhooks and stored groups may change without it.)
   * Read it BEFORE the data you cache: then the cached data is at least as new as the number.
   */
  changeCounter(): Promise<number>;

  close(): Promise<void>;
}
