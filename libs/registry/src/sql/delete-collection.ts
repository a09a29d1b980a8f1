import type { Unreferenced } from '../records.ts';
import type { Registry } from '../registry.ts';
import { number, text, textOrNull } from '../rows.ts';
import { isOpen, requestCancel, storedJobFrom } from './change-job.ts';
import { unreferencedBy } from './contents.ts';
import { endUnfinished } from './end-job.ts';
import { isAnyoneToldOf, writeDocumentEvent } from './outbox.ts';
import { all, first, run, type SqlSession, type Steps } from './steps.ts';

type Deletion = Pick<Registry, 'deleteCollection' | 'staleCollections' | 'forgetCollection'>;

export function collectionDeletionOf({ now, read, write }: SqlSession): Deletion {
  return {
    deleteCollection: (tenant, name) =>
      write(function* () {
        const at = now();
        const hidden = yield* first(
          `UPDATE collections SET state = 'deleting', revision = revision + 1, updated_at = :at
            WHERE tenant = :tenant AND name = :name AND state = 'active' RETURNING name`,
          { tenant, name, at },
        );
        if (hidden === undefined) return null;
        yield* cancelAndTell(tenant, name, at);
        return { documents: yield* concealAll(tenant, name, at) };
      }),

    async staleCollections() {
      const sql =
        "SELECT tenant, name FROM collections WHERE state = 'deleting' ORDER BY updated_at, tenant, name";
      const rows = await read(() => all(sql));
      return rows.map((row) => ({ tenant: text(row, 'tenant'), name: text(row, 'name') }));
    },

    forgetCollection: (tenant, name) =>
      write(function* () {
        const nothing: Unreferenced = { originals: [], texts: [] };
        const which = { tenant, name };
        const stale = yield* first(
          "SELECT name FROM collections WHERE tenant = :tenant AND name = :name AND state = 'deleting' FOR UPDATE",
          which,
        );
        if (stale === undefined) return nothing;
        const owners = yield* all(
          `SELECT v.original_hash, v.text_hash FROM versions v JOIN documents d ON d.id = v.document_id
            WHERE d.tenant = :tenant AND d.collection = :name`,
          which,
        );
        const at = now();
        const jobs = yield* all(
          `SELECT * FROM jobs WHERE tenant = :tenant AND collection = :name AND completed_at IS NULL
            ORDER BY id FOR UPDATE`,
          which,
        );
        for (const row of jobs) {
          const job = storedJobFrom(row);
          const why = { code: 'cancelled', message: 'the collection was deleted' };
          if (isOpen(job)) yield* endUnfinished(job, 'cancelled', why, at);
        }
        yield* run('DELETE FROM documents WHERE tenant = :tenant AND collection = :name', which);
        yield* run('DELETE FROM collections WHERE tenant = :tenant AND name = :name', which);
        return yield* unreferencedBy(owners);
      }),
  };
}

/** In three statements, however many there are: a collection of 10,000 documents must not hold everyone up. */
function* concealAll(tenant: string, name: string, at: number): Steps<number> {
  const ofCollection =
    'document_id IN (SELECT id FROM documents WHERE tenant = :tenant AND collection = :name)';
  yield* run(
    `UPDATE versions SET state = 'superseded' WHERE state IN ('building', 'visible') AND ${ofCollection}`,
    { tenant, name },
  );
  yield* run(`DELETE FROM stored_groups WHERE ${ofCollection}`, { tenant, name });
  const concealed = yield* all(
    `UPDATE documents SET state = 'deleting', visible_version = 0, external_id = NULL, updated_at = :at
      WHERE tenant = :tenant AND collection = :name AND state <> 'deleting' RETURNING id`,
    { tenant, name, at },
  );
  return concealed.length;
}

/** Webhooks hear of what could be found; the address of an open job hears of its document in any case. */
function* cancelAndTell(tenant: string, name: string, at: number): Steps<void> {
  const open = yield* all(
    `SELECT * FROM jobs WHERE tenant = :tenant AND collection = :name AND completed_at IS NULL
      ORDER BY id FOR UPDATE`,
    { tenant, name },
  );
  const waiting = new Map<string, { jobId: string; url: string }>();
  for (const row of open) {
    const job = storedJobFrom(row);
    yield* requestCancel(job, 'The collection was deleted', at);
    const { id, documentId, webhookUrl } = job.record;
    if (webhookUrl !== null) waiting.set(documentId, { jobId: id, url: webhookUrl });
  }
  const isHeard = yield* isAnyoneToldOf(tenant, 'document.deleted');
  const ids = [...waiting.keys()];
  const documents = yield* all(
    `SELECT d.*, v.job_id FROM documents d
       LEFT JOIN versions v ON v.document_id = d.id AND v.version = d.visible_version
      WHERE d.tenant = :tenant AND d.collection = :name AND d.state <> 'deleting'
        AND (d.id IN :ids ${isHeard ? 'OR d.visible_version > 0' : ''}) ORDER BY d.id`,
    { tenant, name, ids },
  );
  for (const document of documents) {
    const version = number(document, 'visible_version');
    const open = waiting.get(text(document, 'id'));
    const jobId = textOrNull(document, 'job_id') ?? open?.jobId ?? null;
    const urls = [open?.url ?? null];
    const onlyUrls = version === 0;
    yield* writeDocumentEvent({ type: 'document.deleted', document, version, jobId, urls, onlyUrls }, at);
  }
}
