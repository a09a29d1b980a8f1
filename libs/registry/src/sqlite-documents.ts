import type { Registry } from './registry.ts';
import { documentFrom } from './rows.ts';
import type { SqliteSession } from './sqlite-session.ts';

type Documents = Pick<Registry, 'getDocument' | 'findDocument' | 'listDocuments' | 'deleteDocument'>;

const defaultLimit = 50;
const largestLimit = 1000;

export function documentsOf({ database, now, write }: SqliteSession): Documents {
  const byId = database.prepare(
    "SELECT * FROM documents WHERE id = ? AND tenant = ? AND state <> 'deleting'",
  );
  const byExternalId = database.prepare(
    'SELECT * FROM documents WHERE tenant = ? AND collection = ? AND external_id = ?',
  );
  const page = database.prepare(
    `SELECT * FROM documents
      WHERE tenant = :tenant
        AND (:collection IS NULL OR collection = :collection)
        AND CASE WHEN :state IS NULL THEN state <> 'deleting' ELSE state = :state END
        AND (:after IS NULL OR (created_at, id) < (SELECT created_at, id FROM documents WHERE id = :after AND tenant = :tenant))
      ORDER BY created_at DESC, id DESC LIMIT :limit`,
  );
  const conceal = database.prepare(
    `UPDATE documents SET state = 'deleting', visible_version = 0, external_id = NULL, updated_at = ?
      WHERE id = ? AND tenant = ? AND state <> 'deleting' RETURNING collection`,
  );
  const supersedeAll = database.prepare(
    "UPDATE versions SET state = 'superseded' WHERE document_id = ? AND state IN ('building', 'visible')",
  );
  const removeEmpty = database.prepare(
    `DELETE FROM documents WHERE id = ? AND state = 'deleting'
        AND NOT EXISTS (SELECT 1 FROM versions WHERE document_id = documents.id)`,
  );
  const touch = database.prepare(
    'UPDATE collections SET revision = revision + 1, updated_at = ? WHERE tenant = ? AND name = ?',
  );

  return {
    async getDocument(tenant, documentId) {
      const row = byId.get(documentId, tenant);
      return row === undefined ? null : documentFrom(row);
    },

    async findDocument(tenant, collection, externalId) {
      const row = byExternalId.get(tenant, collection, externalId);
      return row === undefined ? null : documentFrom(row);
    },

    async listDocuments(tenant, filter = {}) {
      const rows = page.all({
        tenant,
        collection: filter.collection ?? null,
        state: filter.state ?? null,
        after: filter.after ?? null,
        limit: Math.min(Math.max(filter.limit ?? defaultLimit, 1), largestLimit),
      });
      return rows.map(documentFrom);
    },

    async deleteDocument(tenant, documentId) {
      return write(() => {
        const concealed = conceal.get(now(), documentId, tenant);
        if (concealed === undefined) return false;
        supersedeAll.run(documentId);
        removeEmpty.run(documentId);
        touch.run(now(), tenant, concealed.collection ?? null);
        return true;
      });
    },
  };
}
