import { number, text, textOrNull } from '../rows.ts';
import { first, type Row, run, type Steps } from './steps.ts';

/**
 * Locks come in one order, collection, document, job, so that nobody waits for another in a circle. Whoever will
 * move the collection's revision locks its row alone (`lockDocumentForSwitch`); whoever changes one document shares it,
 * so that many documents of one collection come in, begin and end at once. (In SQLite every write transaction is alone.)
 */
export function* lockDocument(tenant: string, documentId: string): Steps<Row | undefined> {
  yield* run(`${itsCollection} FOR SHARE`, { tenant, documentId });
  return yield* lockedRow(tenant, documentId);
}

export function* lockDocumentForSwitch(tenant: string, documentId: string): Steps<Row | undefined> {
  yield* run(`${itsCollection} FOR UPDATE`, { tenant, documentId });
  return yield* lockedRow(tenant, documentId);
}

const itsCollection = `SELECT name FROM collections
  WHERE tenant = :tenant AND name = (SELECT collection FROM documents WHERE id = :documentId AND tenant = :tenant)`;

function* lockedRow(tenant: string, documentId: string): Steps<Row | undefined> {
  return yield* first('SELECT * FROM documents WHERE id = :documentId AND tenant = :tenant FOR UPDATE', {
    tenant,
    documentId,
  });
}

export function* findVersion(documentId: string, version: number): Steps<Row | undefined> {
  return yield* first('SELECT * FROM versions WHERE document_id = :documentId AND version = :version', {
    documentId,
    version,
  });
}

/** Ends the building of a version: its rows in the store are stale from now on. */
export function* leaveBuilding(row: Row, state: 'superseded' | 'failed'): Steps<void> {
  const which = { documentId: text(row, 'document_id'), version: number(row, 'version') };
  yield* run('UPDATE versions SET state = :state WHERE document_id = :documentId AND version = :version', {
    ...which,
    state,
  });
  yield* run('DELETE FROM stored_groups WHERE document_id = :documentId AND version = :version', which);
}

/** `ready` with a visible version, else what the newest attempt is at. */
const stateNow = `CASE
  WHEN visible_version > 0 THEN 'ready'
  WHEN EXISTS (SELECT 1 FROM versions v WHERE v.document_id = documents.id AND v.state = 'building'
                 AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.id = v.job_id AND j.started_at IS NULL)) THEN 'processing'
  WHEN EXISTS (SELECT 1 FROM versions v WHERE v.document_id = documents.id AND v.state = 'building') THEN 'pending'
  ELSE 'failed' END`;

export function* refreshState(documentId: string): Steps<void> {
  yield* run(`UPDATE documents SET state = ${stateNow} WHERE id = :documentId AND state <> 'deleting'`, {
    documentId,
  });
}

export function* noteDocumentError(
  documentId: string,
  error: { code: string; message: string },
  at: number,
): Steps<void> {
  yield* run(
    `UPDATE documents SET last_error_code = :code, last_error = :message, updated_at = :at, state = ${stateNow}
      WHERE id = :documentId AND state <> 'deleting'`,
    { documentId, code: error.code, message: error.message, at },
  );
}

/** The record of a deleted document goes with its last version. */
export function* removeIfEmpty(documentId: string): Steps<void> {
  yield* run(
    `DELETE FROM documents WHERE id = :documentId AND state = 'deleting'
        AND NOT EXISTS (SELECT 1 FROM versions WHERE document_id = documents.id)`,
    { documentId },
  );
}

export function* touchCollection(tenant: string, name: string, at: number): Steps<void> {
  yield* run(
    'UPDATE collections SET revision = revision + 1, updated_at = :at WHERE tenant = :tenant AND name = :name',
    { tenant, name, at },
  );
}

/** What `q` is looked for in. */
export function searchText(title: string, filename: string | null, externalId: string | null): string {
  return [title, filename ?? '', externalId ?? ''].join('\n').toLowerCase();
}

export const externalIdOf = (document: Row) => textOrNull(document, 'external_id');
