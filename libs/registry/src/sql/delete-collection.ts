import type { Unreferenced } from '../records.ts';
import type { Registry } from '../registry.ts';
import { number, text } from '../rows.ts';
import { isOpen, storedJobFrom } from './change-job.ts';
import { unreferencedBy } from './contents.ts';
import { conceal } from './documents.ts';
import { endUnfinished } from './jobs.ts';
import { all, first, run, type SqlSession } from './steps.ts';

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
        const documents = yield* all(
          "SELECT * FROM documents WHERE tenant = :tenant AND collection = :name AND state <> 'deleting' ORDER BY id",
          { tenant, name },
        );
        for (const document of documents) {
          yield* conceal(document, at, { tell: number(document, 'visible_version') > 0 });
        }
        return { documents: documents.length };
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
