import type { IfExists } from '@vortex/contracts';

/**
 * How documents come in. Accepting is one transaction: collection, document (`pending`), version (`building`),
 * job (`queued`) and idempotency key, or nothing of them. The version is opened here and not by the worker,
 * so that of two uploads of one document the later one wins, whichever is built first.
 */
export interface AcceptanceRegistry {
  /**
   * Accepts all documents of one request. A key that was used before for the same request answers what that
   * one was answered (`repeated`), for another request nothing happens (`conflict`). Keys are kept for a day.
   * A job id that exists already: an open job is answered as it is (`accepted`: the acceptance was redelivered);
   * an ended one is opened anew for a new version (the same body pushed by hand again).
   * `bounds`: all or none are accepted, so that the tenant never has more. Two requests with bounds wait for each other.
   * @throws CollectionDeleting, QuotaExceeded
   */
  acceptDocuments(
    documents: readonly NewDocument[],
    idempotency?: IdempotencyKey,
    bounds?: StoredBounds,
  ): Promise<{ outcome: 'accepted' | 'repeated'; documents: Acceptance[] } | { outcome: 'conflict' }>;

  /**
   * Takes an acceptance back, because the queue did not take the job: its jobs, versions and key are gone as if
   * they had never been, and documents and collections that came with them too. Jobs that have begun stay, and jobs
   * that were begun anew.
   * @returns the contents nobody owns any more.
   */
  undoAcceptance(
    tenant: string,
    jobIds: readonly string[],
    idempotencyKey?: string,
  ): Promise<{ originals: string[]; texts: string[] }>;

  /** For routes that accept by other means: `new` once, then what was stored with the key, or a conflict. */
  claimIdempotencyKey(
    key: IdempotencyKey & { tenant: string; response: Record<string, unknown> },
  ): Promise<
    { outcome: 'new' } | { outcome: 'repeated'; response: Record<string, unknown> } | { outcome: 'conflict' }
  >;
  releaseIdempotencyKey(tenant: string, key: string): Promise<void>;
}

/** Of a tenant; absent: as much as it likes. */
export interface StoredBounds {
  documents?: number | undefined;
  bytes?: number | undefined;
}

export interface IdempotencyKey {
  key: string;
  /** SHA-256 over route and body: the same key with another one is a conflict. */
  requestHash: string;
}

export interface NewDocument {
  tenant: string;
  collection: string;
  /** The caller's id of the document, unique in its collection; the file name when the caller gave none. */
  externalId: string;
  filename: string | null;
  /** Null: the document's own title is taken once it is parsed, else the external id. */
  title: string | null;
  mediaType: string;
  metadata: Record<string, unknown>;
  /** SHA-256 of the original bytes (also its name in the originals' store), and of all else that shapes the chunks. */
  contentHash: string;
  settingsHash: string;
  bytes: number;
  ifExists: IfExists;
  job: NewJob;
}

export interface NewJob {
  id: string;
  type: 'document_upload' | 'ingest';
  /** All a worker needs to build the version, and what `GET /api/jobs/{id}` shows as `payload`. */
  payload: Record<string, unknown>;
  maxRetries: number;
  /** Events of this job are sent there, beside the tenant's webhooks. */
  webhookUrl: string | null;
  traceparent: string | null;
}

/**
 * - `accepted`: a job is to be queued; `isReleased` now, else it has to wait for its turn: `letWait`.
 * - `unchanged`: the same bytes with the same settings are visible (`jobId` null), or being built by `jobId`: nothing is
 *   to be done, whatever `ifExists` says.
 * - `exists`: the identity has a document that is visible or being built, and `ifExists` was `skip` or `error`. One
 *   whose attempts have all failed does not count: it could never be uploaded again with `skip`.
 *
 * `createdAt` is the job's when `accepted`, else the document's.
 */
export type Acceptance = { documentId: string; version: number; createdAt: number } & (
  | { outcome: 'accepted'; jobId: string; isReleased: boolean }
  | { outcome: 'unchanged'; jobId: string | null }
  | { outcome: 'exists'; jobId: null }
);
