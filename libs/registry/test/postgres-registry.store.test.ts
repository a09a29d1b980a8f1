import { readdirSync } from 'node:fs';
import {
  findPostgres,
  type PrivatePostgres,
  postgresMissing,
  startPrivatePostgres,
  until,
} from '@vortex/testkit';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { newDocument } from '../src/conformance/fixture-conformance.ts';
import { registryConformance } from '../src/conformance.ts';
import { openPostgresRegistry, openRegistry, type Registry, RegistryUnavailable } from '../src/index.ts';

const programs = findPostgres();
const tenant = 'default';

if (programs === null) {
  test('the registry in PostgreSQL', ({ skip }) => {
    skip(postgresMissing);
  });
} else {
  let server: PrivatePostgres;
  let schemas = 0;

  beforeAll(async () => {
    server = await startPrivatePostgres({ programs });
  }, 120_000);
  afterAll(() => server?.stop());

  async function ask(sql: string): Promise<Record<string, unknown>[]> {
    const client = new pg.Client({ connectionString: server.url });
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(sql)).rows;
    } finally {
      await client.end();
    }
  }

  /** A schema of a test's own is to the registry what a database is. */
  async function freshUrl(): Promise<{ url: string; schema: string }> {
    schemas += 1;
    const schema = `test_${schemas}`;
    await ask(`CREATE SCHEMA ${schema}`);
    return { url: `${server.url}?options=${encodeURIComponent(`-c search_path=${schema}`)}`, schema };
  }

  registryConformance('postgres', async () => {
    const { url, schema } = await freshUrl();
    return {
      open: (now) => openPostgresRegistry({ url, now }),
      remove: async () => void (await ask(`DROP SCHEMA ${schema} CASCADE`)),
    };
  });

  describe('the PostgreSQL database', () => {
    it('six processes that open it at the same moment migrate once', async () => {
      const { url, schema } = await freshUrl();
      const opened = await Promise.all(
        Array.from({ length: 6 }, () => openRegistry({ databaseUrl: url, file: '/nowhere' })),
      );
      const files = readdirSync(new URL('../migrations/postgres/', import.meta.url));
      expect(await ask(`SELECT number FROM ${schema}.vortex_schema ORDER BY number`)).toEqual(
        files.map((_, index) => ({ number: index + 1 })),
      );
      for (const registry of opened) await registry.close();
    });

    it('of a newer Vortex is refused with the way out', async () => {
      const { url, schema } = await freshUrl();
      await (await openPostgresRegistry({ url })).close();
      await ask(`INSERT INTO ${schema}.vortex_schema VALUES (999)`);
      await expect(openPostgresRegistry({ url })).rejects.toThrow(/newer Vortex.*Start that version again/);
    });

    it('closing twice is the same as once', async () => {
      const { url } = await freshUrl();
      const registry = await openPostgresRegistry({ url });
      await registry.close();
      await registry.close();
      await expect(registry.getDocument(tenant, 'doc_x')).rejects.toThrow(RegistryUnavailable);
    });

    it('a change is counted from the moment it can be seen, also with many who change and ask at once', async () => {
      const { url } = await freshUrl();
      const [one, two] = [await openPostgresRegistry({ url }), await openPostgresRegistry({ url })];
      for (let round = 0; round < 20; round += 1) {
        const accepted = await one.acceptDocuments([
          newDocument({ externalId: `d${round}`, jobId: `job_${round}`, collection: 'counted' }),
        ]);
        const document = accepted.outcome === 'accepted' ? accepted.documents[0] : undefined;
        if (document === undefined) throw new Error(accepted.outcome);
        const { documentId, version } = document;
        const finished = { textHash: 't', chunks: 1, tokens: 1, result: {} };
        await two.publishVersion({ tenant, documentId, version, ...finished });
        const before = await Promise.all(Array.from({ length: 8 }, () => two.changeCounter()));
        expect(new Set(before).size).toBe(1);
        const asking = Array.from({ length: 8 }, () => two.changeCounter());
        await one.deleteDocument(tenant, documentId);
        expect(await two.changeCounter()).toBeGreaterThan(before[0] ?? 0);
        await Promise.all(asking);
      }
      await one.close();
      await two.close();
    });

    it('connections that break are errors that may be tried again, and the next try finds the server', async () => {
      const { url } = await freshUrl();
      const registry = await openPostgresRegistry({ url });
      await registry.ensureCollection({ tenant, name: 'kept' });
      await ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'vortex'");
      await answersAgain(registry);
      // In the middle of a transaction, which waits for a row that somebody else holds.
      const holder = new pg.Client({ connectionString: url });
      await holder.connect();
      await holder.query('BEGIN; SELECT name FROM collections FOR UPDATE');
      const waiting = registry.bindModel({ tenant, collection: 'kept', embeddingModel: 'm', dimension: 3 });
      const cut = expect(waiting).rejects.toThrow(RegistryUnavailable);
      const blocked = "application_name = 'vortex' AND wait_event_type = 'Lock'";
      await until('the registry waits for the row', async () => {
        const rows = await ask(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${blocked}`);
        return rows.length > 0;
      });
      await cut;
      await holder.query('ROLLBACK');
      await holder.end();
      await answersAgain(registry);
      await server.kill();
      const refused = registry.getCollection(tenant, 'kept');
      await expect(refused).rejects.toThrow(RegistryUnavailable);
      await expect(refused).rejects.toMatchObject({ code: 'internal', mayRetry: true });
      await expect(registry.acceptDocuments([newDocument()])).rejects.toThrow(RegistryUnavailable);
      await expect(openPostgresRegistry({ url })).rejects.toThrow(RegistryUnavailable);
      await server.start();
      await answersAgain(registry);
      expect(await registry.acceptDocuments([newDocument()])).toMatchObject({ outcome: 'accepted' });
      await registry.close();
    });
  });

  async function answersAgain(registry: Registry): Promise<void> {
    await until('the registry answers', async () => {
      try {
        return await registry.getCollection(tenant, 'kept');
      } catch (error) {
        expect(error).toBeInstanceOf(RegistryUnavailable);
        return null;
      }
    });
  }
}
