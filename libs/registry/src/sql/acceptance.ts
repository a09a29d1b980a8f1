import type {
  Acceptance,
  AcceptanceRegistry,
  IdempotencyKey,
  NewDocument,
  StoredBounds,
} from '../acceptance.ts';
import type { Unreferenced } from '../records.ts';
import { CollectionDeleting, QuotaExceeded } from '../registry-failures.ts';
import { json, number } from '../rows.ts';
import { acceptDocument } from './accept-document.ts';
import { lockJob, type StoredJob } from './change-job.ts';
import { unreferencedBy } from './contents.ts';
import { findVersion, lockDocument, refreshState } from './document-rows.ts';
import { first, type Row, run, type SqlSession, type Steps } from './steps.ts';
import { roomForNew } from './upload-turns.ts';

/** How long a request sent again under its key is answered as the first was. */
export const idempotencyKeysLiveMs = 24 * 3_600_000;

export function acceptanceOf({ now, write }: SqlSession): AcceptanceRegistry {
  return {
    acceptDocuments: (documents, idempotency, bounds) =>
      write(function* () {
        const at = now();
        const tenant = documents[0]?.tenant;
        if (tenant === undefined) return { outcome: 'accepted', documents: [] } as const;
        if (documents.some((one) => one.tenant !== tenant)) throw new Error('one request, one tenant');
        if (idempotency !== undefined) {
          const claim = yield* claimKey(tenant, idempotency, {}, at);
          if (claim.outcome === 'conflict') return { outcome: 'conflict' } as const;
          // Written by us, below.
          const before = claim.response as { documents?: Acceptance[] };
          if (claim.outcome === 'repeated') {
            return { outcome: 'repeated', documents: before.documents ?? [] } as const;
          }
        }
        if (bounds !== undefined) yield* lockTenant(tenant);
        const made = yield* lockCollections(tenant, documents, at);
        const accepted: Acceptance[] = [];
        let room = yield* roomForNew(tenant, at);
        for (const document of documents) {
          const turn = room > 0 ? 'released' : 'coming';
          const acceptance = yield* acceptDocument(
            document,
            { madeCollection: made.has(document.collection), turn },
            at,
          );
          accepted.push(acceptance);
          if (acceptance.outcome === 'accepted') room -= 1;
        }
        const isMore = accepted.some(({ outcome }) => outcome === 'accepted');
        if (bounds !== undefined && isMore) assertWithin(yield* storedBy(tenant), bounds);
        if (idempotency !== undefined) yield* keepResponse(tenant, idempotency.key, { documents: accepted });
        return { outcome: 'accepted', documents: accepted } as const;
      }),

    undoAcceptance: (tenant, jobIds, idempotencyKey) =>
      write(function* () {
        if (idempotencyKey !== undefined) yield* releaseKey(tenant, idempotencyKey);
        const gone: Row[] = [];
        // Newest first, so that two versions of one document give their numbers back in order.
        for (const jobId of jobIds.toReversed()) {
          const version = yield* undoJob(tenant, jobId);
          if (version !== null) gone.push(version);
        }
        return (yield* unreferencedBy(gone)) satisfies Unreferenced;
      }),

    claimIdempotencyKey: ({ tenant, response, ...key }) =>
      write(function* () {
        const claim = yield* claimKey(tenant, key, response, now());
        if (claim.outcome === 'repeated') return { outcome: 'repeated', response: claim.response } as const;
        return { outcome: claim.outcome };
      }),

    releaseIdempotencyKey: (tenant, key) => write(() => releaseKey(tenant, key)),
  };
}

interface Stored {
  documents: number;
  bytes: number;
}

/** Of two acceptances with bounds the second counts what the first has added. Who has bounds has a key. */
function* lockTenant(tenant: string): Steps<void> {
  yield* first('SELECT id FROM api_keys WHERE tenant = :tenant ORDER BY created_at, id LIMIT 1 FOR UPDATE', {
    tenant,
  });
}

/** Documents that are not being deleted, whether they can be found yet or not; of one that is replaced both versions. */
function* storedBy(tenant: string): Steps<Stored> {
  const row = yield* first(
    `SELECT COUNT(*) AS documents,
            COALESCE(SUM(CASE WHEN visible_version > 0 OR coming IS NULL THEN bytes ELSE 0 END), 0)
              + COALESCE(SUM(coming), 0) AS bytes
       FROM (SELECT d.bytes, d.visible_version,
                    (SELECT v.bytes FROM versions v WHERE v.document_id = d.id AND v.state = 'building'
                      ORDER BY v.version DESC LIMIT 1) AS coming
               FROM documents d WHERE d.tenant = :tenant AND d.state <> 'deleting') AS stored`,
    { tenant },
  );
  return { documents: number(row ?? {}, 'documents'), bytes: number(row ?? {}, 'bytes') };
}

/** @throws QuotaExceeded */
function assertWithin(stored: Stored, bounds: StoredBounds): void {
  for (const what of ['documents', 'bytes'] as const) {
    const allowed = bounds[what];
    if (allowed !== undefined && stored[what] > allowed) throw new QuotaExceeded(what, allowed);
  }
}

type Claim = { outcome: 'new' | 'repeated' | 'conflict'; response: Record<string, unknown> };

/** The insertion comes first: of two requests with one key at once, the second waits here for the first's end. */
function* claimKey(
  tenant: string,
  { key, requestHash }: IdempotencyKey,
  response: Record<string, unknown>,
  at: number,
): Steps<Claim> {
  const which = { tenant, key };
  yield* run(
    'DELETE FROM idempotency_keys WHERE tenant = :tenant AND idempotency_key = :key AND created_at < :before',
    { ...which, before: at - idempotencyKeysLiveMs },
  );
  const made = yield* first(
    `INSERT INTO idempotency_keys (tenant, idempotency_key, request_hash, response, created_at)
     VALUES (:tenant, :key, :requestHash, :response, :at) ON CONFLICT DO NOTHING RETURNING tenant`,
    { ...which, requestHash, response: JSON.stringify(response), at },
  );
  if (made !== undefined) return { outcome: 'new', response };
  const before = yield* first(
    'SELECT * FROM idempotency_keys WHERE tenant = :tenant AND idempotency_key = :key',
    which,
  );
  if (before === undefined) throw new Error(`idempotency key ${key} is neither new nor there`);
  if (before.request_hash !== requestHash) return { outcome: 'conflict', response };
  return { outcome: 'repeated', response: json(before, 'response') };
}

function* keepResponse(tenant: string, key: string, response: object): Steps<void> {
  yield* run(
    'UPDATE idempotency_keys SET response = :response WHERE tenant = :tenant AND idempotency_key = :key',
    { tenant, key, response: JSON.stringify(response) },
  );
}

function* releaseKey(tenant: string, key: string): Steps<void> {
  yield* run('DELETE FROM idempotency_keys WHERE tenant = :tenant AND idempotency_key = :key', {
    tenant,
    key,
  });
}

/** Locks the collections, by name so that two requests never wait for each other; returns those it made. */
function* lockCollections(tenant: string, documents: readonly NewDocument[], at: number): Steps<Set<string>> {
  const made = new Set<string>();
  for (const name of [...new Set(documents.map(({ collection }) => collection))].sort()) {
    const created = yield* first(
      `INSERT INTO collections (tenant, name, created_at, updated_at) VALUES (:tenant, :name, :at, :at)
       ON CONFLICT DO NOTHING RETURNING name`,
      { tenant, name, at },
    );
    if (created !== undefined) {
      made.add(name);
      continue;
    }
    const row = yield* first(
      'SELECT state FROM collections WHERE tenant = :tenant AND name = :name FOR SHARE',
      { tenant, name },
    );
    // Gone between the two statements: it had been deleted.
    if (row?.state !== 'active') throw new CollectionDeleting(name);
  }
  return made;
}

/** Never claimed, never changed since its acceptance. */
function hasNotBegun({ record, lastEvent }: StoredJob): boolean {
  return record.status === 'queued' && record.startedAt === null && lastEvent === 1;
}

/** @returns the version's row, which is gone. */
function* undoJob(tenant: string, jobId: string): Steps<Row | null> {
  const seen = yield* first('SELECT document_id FROM jobs WHERE id = :jobId AND tenant = :tenant', {
    jobId,
    tenant,
  });
  if (typeof seen?.document_id !== 'string') return null;
  const documentId = seen.document_id;
  const document = yield* lockDocument(tenant, documentId);
  const job = yield* lockJob(jobId);
  if (job === null || document === undefined || !hasNotBegun(job)) return null;
  const { version, collection } = job.record;
  const row = yield* findVersion(documentId, version);
  yield* run('DELETE FROM jobs WHERE id = :jobId', { jobId });
  yield* run('DELETE FROM versions WHERE document_id = :documentId AND version = :version', {
    documentId,
    version,
  });
  // Nothing was stored under the number, so the next version may have it, unless a later one is there already.
  if (number(document, 'next_version') === version + 1) {
    yield* run('UPDATE documents SET next_version = :version WHERE id = :documentId', {
      version,
      documentId,
    });
  }
  if (job.madeDocument) {
    yield* run(
      `DELETE FROM documents WHERE id = :documentId
          AND NOT EXISTS (SELECT 1 FROM versions WHERE document_id = documents.id)`,
      { documentId },
    );
  }
  yield* refreshState(documentId);
  if (job.madeCollection) {
    yield* run(
      `DELETE FROM collections WHERE tenant = :tenant AND name = :collection AND revision = 0 AND state = 'active'
          AND NOT EXISTS (SELECT 1 FROM documents d WHERE d.tenant = :tenant AND d.collection = :collection)`,
      { tenant, collection },
    );
  }
  return row ?? null;
}
