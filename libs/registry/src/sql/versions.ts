import type { Publication, VersionState } from '../records.ts';
import type { Registry } from '../registry.ts';
import { json, number, numberOrNull, text, textOrNull } from '../rows.ts';
import { publish } from './publish.ts';
import { all, first, run, type SqlSession } from './steps.ts';

type Versions = Pick<
  Registry,
  | 'noteStoredGroup'
  | 'storedGroups'
  | 'noteParsed'
  | 'publishVersion'
  | 'visibleVersions'
  | 'versionState'
  | 'auditVersions'
>;

const whileBuilding = `WHERE document_id = :documentId AND version = :version AND state = 'building'
  AND EXISTS (SELECT 1 FROM documents WHERE id = :documentId AND tenant = :tenant)`;

export function versionsOf({ now, read, write, noteUnsynced }: SqlSession): Versions {
  return {
    noteStoredGroup: (group) =>
      noteUnsynced(function* () {
        // A worker that dies now has got further: its death does not count against the job. In the group's own
        // transaction, for a worker may die between this note and the next word about its progress. The job first,
        // as everywhere: who ends it locks it before its version.
        yield* run(
          `UPDATE jobs SET deliveries = 0, survived_reads = 0
            WHERE deliveries > 0 AND id = (SELECT job_id FROM versions ${whileBuilding})
              AND NOT EXISTS (SELECT 1 FROM stored_groups WHERE document_id = :documentId AND version = :version
                                AND first_ordinal = :firstOrdinal)`,
          { ...group },
        );
        yield* run(
          `INSERT INTO stored_groups (document_id, version, first_ordinal, chunks)
           SELECT document_id, version, CAST(:firstOrdinal AS BIGINT), CAST(:chunks AS BIGINT) FROM versions
           ${whileBuilding} ON CONFLICT DO NOTHING`,
          { ...group },
        );
      }),

    async storedGroups(tenant, documentId, version) {
      const sql = `SELECT g.first_ordinal, g.chunks FROM stored_groups g
                     JOIN versions v ON v.document_id = g.document_id AND v.version = g.version AND v.state = 'building'
                     JOIN documents d ON d.id = g.document_id AND d.tenant = :tenant
                    WHERE g.document_id = :documentId AND g.version = :version ORDER BY g.first_ordinal`;
      const rows = await read(() => all(sql, { tenant, documentId, version }));
      return rows.map((row) => ({
        firstOrdinal: number(row, 'first_ordinal'),
        chunks: number(row, 'chunks'),
      }));
    },

    noteParsed: (parsed) =>
      noteUnsynced(() =>
        run(
          `UPDATE versions SET text_hash = :textHash, pages = :pages, chunks = :chunks, tokens = :tokens,
                  media_type = :mediaType, title = CASE WHEN title_given = 1 THEN title ELSE COALESCE(:title, title) END
           ${whileBuilding}`,
          { ...parsed },
        ),
      ),

    publishVersion: (finished) => write<Publication>(() => publish(finished, now())),

    async visibleVersions(tenant, collection) {
      const sql = `SELECT id, visible_version, title, chunks, metadata FROM documents
                    WHERE tenant = :tenant AND collection = :collection AND visible_version > 0`;
      return (await read(() => all(sql, { tenant, collection }))).map((row) => ({
        documentId: text(row, 'id'),
        version: number(row, 'visible_version'),
        title: text(row, 'title'),
        chunks: number(row, 'chunks'),
        metadata: json(row, 'metadata'),
      }));
    },

    async versionState(tenant, documentId, version) {
      const sql = `SELECT v.state FROM versions v JOIN documents d ON d.id = v.document_id
                    WHERE v.document_id = :documentId AND v.version = :version AND d.tenant = :tenant AND v.purged = 0`;
      const row = await read(() => first(sql, { tenant, documentId, version }));
      // The column's CHECK lets nothing else in.
      return row === undefined ? null : (text(row, 'state') as VersionState);
    },

    async auditVersions(tenant, collection) {
      const named = collection === undefined ? '' : 'AND d.collection = :collection';
      const sql = `SELECT d.collection, d.state AS document_state, v.document_id, v.version, v.state, v.chunks,
                          v.original_hash, v.text_hash
                     FROM versions v JOIN documents d ON d.id = v.document_id
                    WHERE d.tenant = :tenant ${named} ORDER BY d.collection, v.document_id, v.version`;
      const values = collection === undefined ? { tenant } : { tenant, collection };
      return (await read(() => all(sql, values))).map((row) => ({
        collection: text(row, 'collection'),
        documentId: text(row, 'document_id'),
        version: number(row, 'version'),
        state: text(row, 'state') as VersionState,
        deleting: row.document_state === 'deleting',
        chunks: numberOrNull(row, 'chunks') ?? 0,
        originalHash: textOrNull(row, 'original_hash'),
        textHash: textOrNull(row, 'text_hash'),
      }));
    },
  };
}
