import { newId } from '@vortex/contracts';
import type { BegunVersion, NewVersion, Publication, Registry, VersionState } from './registry.ts';
import { UnknownCollection } from './registry.ts';
import { number, type Row, text } from './rows.ts';
import type { SqliteSession } from './sqlite-session.ts';

type Versions = Pick<
  Registry,
  | 'beginVersion'
  | 'noteStoredGroup'
  | 'storedGroups'
  | 'publishVersion'
  | 'failVersion'
  | 'visibleVersions'
  | 'versionState'
  | 'staleVersions'
  | 'forgetVersion'
>;

/** Ingest jobs live 24 hours at most; an hour on top for clocks that disagree. */
const abandonedAfterMs = 25 * 3_600_000;

export function versionsOf({ database, now, write }: SqliteSession): Versions {
  const collectionExists = database.prepare('SELECT 1 FROM collections WHERE tenant = ? AND name = ?');
  const documentByExternalId = database.prepare(
    'SELECT * FROM documents WHERE tenant = ? AND collection = ? AND external_id = ?',
  );
  const documentById = database.prepare('SELECT * FROM documents WHERE id = ? AND tenant = ?');
  const insertDocument = database.prepare(
    `INSERT INTO documents (id, tenant, collection, external_id, title, media_type, state, metadata, created_at, updated_at)
     VALUES (?, ?, ?, ?, ?, ?, 'processing', ?, ?, ?) RETURNING *`,
  );
  const ofJob = database.prepare(
    `SELECT * FROM versions WHERE document_id = ? AND job_id = ? AND content_hash = ? AND settings_hash = ?
      AND state <> 'failed' ORDER BY version DESC LIMIT 1`,
  );
  const newestLiving = database.prepare(
    "SELECT * FROM versions WHERE document_id = ? AND state IN ('building', 'visible') ORDER BY version DESC LIMIT 1",
  );
  const oneVersion = database.prepare('SELECT * FROM versions WHERE document_id = ? AND version = ?');
  const insertVersion = database.prepare(
    `INSERT INTO versions (document_id, version, state, job_id, title, media_type, metadata, content_hash, settings_hash, created_at)
     VALUES (?, ?, 'building', ?, ?, ?, ?, ?, ?, ?)`,
  );
  const countUp = database.prepare(
    `UPDATE documents SET next_version = next_version + 1, updated_at = ?,
            state = CASE WHEN visible_version > 0 THEN 'ready' ELSE 'processing' END
      WHERE id = ?`,
  );
  const setVersionState = database.prepare(
    'UPDATE versions SET state = ? WHERE document_id = ? AND version = ?',
  );
  const supersedeVisible = database.prepare(
    "UPDATE versions SET state = 'superseded' WHERE document_id = ? AND state = 'visible'",
  );
  const makeVisible = database.prepare(
    `UPDATE documents SET state = 'ready', visible_version = ?, title = ?, media_type = ?, metadata = ?, content_hash = ?,
            text_hash = ?, bytes = ?, chunks = ?, tokens = ?, last_error_code = NULL, last_error = NULL, updated_at = ?
      WHERE id = ?`,
  );
  const noteError = database.prepare(
    `UPDATE documents SET last_error_code = ?, last_error = ?, updated_at = ?,
            state = CASE WHEN visible_version > 0 THEN 'ready'
                         WHEN EXISTS (SELECT 1 FROM versions v WHERE v.document_id = documents.id AND v.state = 'building')
                         THEN 'processing' ELSE 'failed' END
      WHERE id = ? AND state <> 'deleting'`,
  );
  const touchCollection = database.prepare(
    'UPDATE collections SET revision = revision + 1, updated_at = ? WHERE tenant = ? AND name = ?',
  );
  const allVisible = database.prepare(
    `SELECT id, visible_version, title, chunks FROM documents
      WHERE tenant = ? AND collection = ? AND visible_version > 0`,
  );
  const abandoned = database.prepare(
    "SELECT document_id, version FROM versions WHERE state = 'building' AND created_at < ? LIMIT ?",
  );
  const stale = database.prepare(
    `SELECT d.tenant, d.collection, v.document_id, v.version
       FROM versions v JOIN documents d ON d.id = v.document_id
      WHERE v.state IN ('superseded', 'failed') ORDER BY v.created_at LIMIT ?`,
  );
  const deleteVersion = database.prepare(
    `DELETE FROM versions WHERE document_id = ? AND version = ? AND state IN ('superseded', 'failed')
        AND EXISTS (SELECT 1 FROM documents WHERE id = versions.document_id AND tenant = ?)`,
  );
  const insertGroup = database.prepare(
    `INSERT INTO stored_groups (document_id, version, first_ordinal, chunks) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING`,
  );
  const groupsOf = database.prepare(
    'SELECT first_ordinal, chunks FROM stored_groups WHERE document_id = ? AND version = ? ORDER BY first_ordinal',
  );
  const forgetGroups = database.prepare('DELETE FROM stored_groups WHERE document_id = ? AND version = ?');
  const removeEmpty = database.prepare(
    `DELETE FROM documents WHERE id = ? AND state = 'deleting'
        AND NOT EXISTS (SELECT 1 FROM versions WHERE document_id = documents.id)`,
  );

  /** What is there already settles it, or nothing does and a new version is due. */
  function settledBefore(document: Row, asked: NewVersion): BegunVersion | null {
    const documentId = text(document, 'id');
    const chunks = number(document, 'chunks');
    const same = ofJob.get(documentId, asked.jobId, asked.contentHash, asked.settingsHash);
    if (same !== undefined) {
      const version = number(same, 'version');
      const state = text(same, 'state');
      if (state === 'building') return { outcome: 'begun', documentId, version, resumed: true };
      if (state === 'visible') return { outcome: 'unchanged', documentId, version, chunks };
      // A job id can come again as a new wish: the raw body pushed by hand has an id made of its bytes, so
      // A, B, A again means A. Only a redelivery may take "overtaken" for the end of it.
      if (asked.resume === true) return { outcome: 'superseded', documentId, version, chunks };
    }
    const living = newestLiving.get(documentId);
    const visibleAndSame =
      living !== undefined &&
      living.state === 'visible' &&
      living.content_hash === asked.contentHash &&
      living.settings_hash === asked.settingsHash;
    return visibleAndSame
      ? { outcome: 'unchanged', documentId, version: number(living, 'version'), chunks }
      : null;
  }

  function createDocument(asked: NewVersion, metadata: string): Row {
    const { tenant, collection, externalId, title, mediaType } = asked;
    if (collectionExists.get(tenant, collection) === undefined)
      throw new UnknownCollection(tenant, collection);
    const at = now();
    const row = insertDocument.get(
      newId('doc'),
      tenant,
      collection,
      externalId,
      title,
      mediaType,
      metadata,
      at,
      at,
    );
    if (row === undefined) throw new Error(`document ${externalId} was inserted but not returned`);
    return row;
  }

  return {
    async beginVersion(asked) {
      const metadata = JSON.stringify(asked.metadata ?? {});
      return write(() => {
        const document =
          documentByExternalId.get(asked.tenant, asked.collection, asked.externalId) ??
          createDocument(asked, metadata);
        const settled = settledBefore(document, asked);
        if (settled !== null) return settled;
        const documentId = text(document, 'id');
        const version = number(document, 'next_version');
        const { jobId, title, mediaType, contentHash, settingsHash } = asked;
        insertVersion.run(
          documentId,
          version,
          jobId,
          title,
          mediaType,
          metadata,
          contentHash,
          settingsHash,
          now(),
        );
        countUp.run(now(), documentId);
        return { outcome: 'begun', documentId, version, resumed: false } as const;
      });
    },

    async noteStoredGroup({ tenant, documentId, version, firstOrdinal, chunks }) {
      write(() => {
        if (documentById.get(documentId, tenant) === undefined) return;
        if (oneVersion.get(documentId, version)?.state !== 'building') return;
        insertGroup.run(documentId, version, firstOrdinal, chunks);
      });
    },

    async storedGroups(tenant, documentId, version) {
      if (documentById.get(documentId, tenant) === undefined) return [];
      return groupsOf.all(documentId, version).map((row) => ({
        firstOrdinal: number(row, 'first_ordinal'),
        chunks: number(row, 'chunks'),
      }));
    },

    async publishVersion({ tenant, documentId, version, textHash, bytes, chunks, tokens }) {
      return write((): Publication => {
        const document = documentById.get(documentId, tenant);
        const row = oneVersion.get(documentId, version);
        if (document !== undefined && document.state === 'deleting') return 'deleted';
        if (document === undefined || row === undefined) return 'lost';
        if (row.state === 'visible') return 'published';
        if (row.state === 'superseded') return 'superseded';
        if (row.state === 'failed') return 'lost';
        if (number(document, 'visible_version') > version) {
          setVersionState.run('superseded', documentId, version);
          return 'superseded';
        }
        supersedeVisible.run(documentId);
        setVersionState.run('visible', documentId, version);
        forgetGroups.run(documentId, version);
        const at = now();
        makeVisible.run(
          version,
          text(row, 'title'),
          text(row, 'media_type'),
          text(row, 'metadata'),
          text(row, 'content_hash'),
          textHash,
          bytes,
          chunks,
          tokens,
          at,
          documentId,
        );
        touchCollection.run(at, tenant, text(document, 'collection'));
        return 'published';
      });
    },

    async failVersion({ tenant, documentId, version, error }) {
      write(() => {
        if (documentById.get(documentId, tenant) === undefined) return;
        if (oneVersion.get(documentId, version)?.state !== 'building') return;
        setVersionState.run('failed', documentId, version);
        forgetGroups.run(documentId, version);
        noteError.run(error.code, error.message, now(), documentId);
      });
    },

    async visibleVersions(tenant, collection) {
      return allVisible.all(tenant, collection).map((row) => ({
        documentId: text(row, 'id'),
        version: number(row, 'visible_version'),
        title: text(row, 'title'),
        chunks: number(row, 'chunks'),
      }));
    },

    async versionState(tenant, documentId, version) {
      if (documentById.get(documentId, tenant) === undefined) return null;
      const row = oneVersion.get(documentId, version);
      // The column's CHECK lets nothing else in.
      return row === undefined ? null : (text(row, 'state') as VersionState);
    },

    async staleVersions(options = {}) {
      const limit = options.limit ?? 100;
      const before = options.abandonedBefore ?? now() - abandonedAfterMs;
      // Asked every few seconds and nearly always empty: the write lock is taken only when there is work.
      if (abandoned.get(before, 1) !== undefined) {
        write(() => {
          for (const row of abandoned.all(before, limit)) {
            const documentId = text(row, 'document_id');
            const version = number(row, 'version');
            setVersionState.run('failed', documentId, version);
            forgetGroups.run(documentId, version);
            noteError.run(
              'internal',
              'the ingest job vanished; ingest the document again',
              now(),
              documentId,
            );
          }
        });
      }
      return stale.all(limit).map((row) => ({
        tenant: text(row, 'tenant'),
        collection: text(row, 'collection'),
        documentId: text(row, 'document_id'),
        version: number(row, 'version'),
      }));
    },

    async forgetVersion(tenant, documentId, version) {
      write(() => {
        deleteVersion.run(documentId, version, tenant);
        removeEmpty.run(documentId);
      });
    },
  };
}
