import type { Unreferenced } from '../records.ts';
import type { Registry } from '../registry.ts';
import { number, text } from '../rows.ts';
import { unreferencedBy } from './contents.ts';
import {
  findVersion,
  leaveBuilding,
  lockDocument,
  noteDocumentError,
  removeIfEmpty,
} from './document-rows.ts';
import { endCancelled } from './end-job.ts';
import { all, first, type Row, run, type SqlSession, type Steps } from './steps.ts';

type Stale = Pick<Registry, 'staleVersions' | 'forgetVersion'>;

/** Ingest jobs live 24 hours at most; an hour on top for clocks that disagree. */
const abandonedAfterMs = 25 * 3_600_000;
const nothing: Unreferenced = { originals: [], texts: [] };

/** Nobody works on it: an open job is the sweeper's business, however old. */
const abandoned = `SELECT v.document_id, v.version, d.tenant FROM versions v JOIN documents d ON d.id = v.document_id
  WHERE v.state = 'building' AND v.created_at < :before
    AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.id = v.job_id AND j.version = v.version AND j.completed_at IS NULL)
  LIMIT :limit`;

/**
 * A failed version whose job may be run again keeps its row when it has been purged: the row owns the original.
 * It is stale once more when a newer version, the document's deletion or the end of the job's 30 days says that
 * it will not be asked for.
 */
const mayRunAgain = `(v.state = 'failed' AND v.version = d.next_version - 1 AND d.state <> 'deleting'
  AND v.original_hash IS NOT NULL AND EXISTS (SELECT 1 FROM jobs j
    WHERE j.id = v.job_id AND j.document_id = v.document_id AND j.version = v.version AND j.completed_at IS NOT NULL))`;

/** The rows of a collection that is being deleted leave the store as a whole (`staleCollections`). */
const stale = `SELECT d.tenant, d.collection, v.document_id, v.version
  FROM versions v JOIN documents d ON d.id = v.document_id
  JOIN collections c ON c.tenant = d.tenant AND c.name = d.collection
  WHERE v.state IN ('superseded', 'failed') AND c.state = 'active' AND (v.purged = 0 OR NOT ${mayRunAgain})
  ORDER BY v.created_at, v.document_id, v.version LIMIT :limit`;

export function staleOf({ now, read, write }: SqlSession): Stale {
  return {
    async staleVersions(options = {}) {
      const limit = options.limit ?? 100;
      const before = options.abandonedBefore ?? now() - abandonedAfterMs;
      // Asked every few seconds and nearly always empty: a write transaction only when there is work.
      const lost = await read(() => all(abandoned, { before, limit }));
      for (const row of lost) await write(() => giveUp(row, now()));
      return (await read(() => all(stale, { limit }))).map((row) => ({
        tenant: text(row, 'tenant'),
        collection: text(row, 'collection'),
        documentId: text(row, 'document_id'),
        version: number(row, 'version'),
      }));
    },

    forgetVersion: (tenant, documentId, version) =>
      write(function* () {
        const document = yield* lockDocument(tenant, documentId);
        const row = yield* findVersion(documentId, version);
        if (document === undefined || row === undefined) return nothing;
        if (row.state !== 'superseded' && row.state !== 'failed') return nothing;
        yield* endCancelled(text(row, 'job_id'), documentId, version, now());
        const which = { documentId, version };
        const isKept = yield* first(
          `SELECT 1 AS kept FROM versions v JOIN documents d ON d.id = v.document_id
            WHERE v.document_id = :documentId AND v.version = :version AND ${mayRunAgain}`,
          which,
        );
        if (isKept !== undefined) {
          yield* run(
            `UPDATE versions SET purged = 1, text_hash = NULL, chunks = 0, tokens = 0
              WHERE document_id = :documentId AND version = :version`,
            which,
          );
          return yield* unreferencedBy([{ text_hash: row.text_hash }]);
        }
        yield* run('DELETE FROM versions WHERE document_id = :documentId AND version = :version', which);
        yield* removeIfEmpty(documentId);
        return yield* unreferencedBy([row]);
      }),
  };
}

function* giveUp(seen: Row, at: number): Steps<void> {
  const documentId = text(seen, 'document_id');
  yield* lockDocument(text(seen, 'tenant'), documentId);
  const row = yield* findVersion(documentId, number(seen, 'version'));
  if (row?.state !== 'building') return;
  yield* leaveBuilding(row, 'failed');
  const message = 'the ingest job vanished; ingest the document again';
  yield* noteDocumentError(documentId, { code: 'internal', message }, at);
}
