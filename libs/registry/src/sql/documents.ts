import type { DocumentFilter } from '../records.ts';
import type { Registry } from '../registry.ts';
import { documentFrom, number, text } from '../rows.ts';
import { requestCancel, storedJobFrom } from './change-job.ts';
import { ownedOf } from './contents.ts';
import { lockDocumentForSwitch, removeIfEmpty, touchCollection } from './document-rows.ts';
import { writeDocumentEvent } from './outbox.ts';
import { all, first, type Row, run, type SqlSession, type Steps, type Value } from './steps.ts';

type Documents = Pick<
  Registry,
  | 'getDocument'
  | 'findDocument'
  | 'listDocuments'
  | 'deleteDocument'
  | 'ownedContents'
  | 'listTenants'
  | 'indexTotals'
>;

const defaultLimit = 50;

export function documentsOf({ now, read, write }: SqlSession): Documents {
  return {
    async getDocument(tenant, documentId) {
      const sql =
        "SELECT * FROM documents WHERE id = :documentId AND tenant = :tenant AND state <> 'deleting'";
      const row = await read(() => first(sql, { tenant, documentId }));
      return row === undefined ? null : documentFrom(row);
    },

    async findDocument(tenant, collection, externalId) {
      const sql =
        'SELECT * FROM documents WHERE tenant = :tenant AND collection = :collection AND external_id = :externalId';
      const row = await read(() => first(sql, { tenant, collection, externalId }));
      return row === undefined ? null : documentFrom(row);
    },

    async listDocuments(tenant, filter = {}) {
      const { conditions, values } = conditionsOf(tenant, filter);
      if (filter.after !== undefined) {
        conditions.push('(created_at, id) < (:afterAt, :afterId)');
        values.afterAt = filter.after.createdAt;
        values.afterId = filter.after.id;
      }
      values.limit = filter.limit ?? defaultLimit;
      const sql = `SELECT * FROM documents WHERE ${conditions.join(' AND ')}
                    ORDER BY created_at DESC, id DESC LIMIT :limit`;
      return (await read(() => all(sql, values))).map(documentFrom);
    },

    deleteDocument: (tenant, documentId) =>
      write(function* () {
        const document = yield* lockDocumentForSwitch(tenant, documentId);
        if (document === undefined || document.state === 'deleting') return false;
        const at = now();
        yield* conceal(document, at);
        yield* removeIfEmpty(documentId);
        yield* touchCollection(tenant, text(document, 'collection'), at);
        return true;
      }),

    ownedContents: (kind, hashes) => read(() => ownedOf(kind, hashes)),

    async listTenants() {
      const rows = await read(() => all('SELECT DISTINCT tenant FROM collections ORDER BY tenant'));
      return rows.map((row) => text(row, 'tenant'));
    },

    async indexTotals() {
      const row = await read(() =>
        first(
          `SELECT COUNT(*) AS documents, COALESCE(SUM(d.chunks), 0) AS chunks, COALESCE(SUM(d.bytes), 0) AS bytes
             FROM documents d JOIN collections c ON c.tenant = d.tenant AND c.name = d.collection
            WHERE d.visible_version > 0 AND c.state = 'active'`,
        ),
      );
      if (row === undefined) throw new Error('a sum of documents had no row');
      return {
        documents: number(row, 'documents'),
        chunks: number(row, 'chunks'),
        bytes: number(row, 'bytes'),
      };
    },
  };
}

/**
 * Makes a document (its row as it was) invisible: its versions are stale, its open jobs asked to stop, and whoever
 * wants to know is told, those who wait for one of the jobs too.
 */
function* conceal(document: Row, at: number): Steps<void> {
  const documentId = text(document, 'id');
  const newest = yield* first(
    `SELECT version, job_id FROM versions WHERE document_id = :documentId AND state IN ('building', 'visible')
      ORDER BY CASE state WHEN 'visible' THEN 0 ELSE 1 END, version DESC LIMIT 1`,
    { documentId },
  );
  yield* run(
    `UPDATE documents SET state = 'deleting', visible_version = 0, external_id = NULL, updated_at = :at
      WHERE id = :documentId`,
    { documentId, at },
  );
  yield* run(
    `UPDATE versions SET state = 'superseded'
      WHERE document_id = :documentId AND state IN ('building', 'visible')`,
    { documentId },
  );
  yield* run('DELETE FROM stored_groups WHERE document_id = :documentId', { documentId });
  const urls: (string | null)[] = [];
  const open =
    'SELECT * FROM jobs WHERE document_id = :documentId AND completed_at IS NULL ORDER BY id FOR UPDATE';
  for (const row of yield* all(open, { documentId })) {
    const job = storedJobFrom(row);
    urls.push(job.record.webhookUrl);
    yield* requestCancel(job, 'The document was deleted', at);
  }
  const version = newest === undefined ? 0 : number(newest, 'version');
  const jobId = newest === undefined ? null : text(newest, 'job_id');
  yield* writeDocumentEvent({ type: 'document.deleted', document, version, jobId, urls }, at);
}

function conditionsOf(tenant: string, { collection, collections, state, ids, q }: DocumentFilter) {
  const conditions = ['tenant = :tenant', state === undefined ? "state <> 'deleting'" : 'state = :state'];
  const values: Record<string, Value> = { tenant };
  if (state !== undefined) values.state = state;
  if (collection !== undefined) {
    conditions.push('collection = :collection');
    values.collection = collection;
  }
  if (collections !== undefined) {
    conditions.push('collection IN :collections');
    values.collections = collections;
  }
  if (ids !== undefined) {
    conditions.push('id IN :ids');
    values.ids = ids;
  }
  if (q !== undefined) {
    conditions.push("search_text LIKE :pattern ESCAPE '!'");
    values.pattern = `%${q.toLowerCase().replaceAll(/[!%_]/g, '!$&')}%`;
  }
  return { conditions, values };
}
