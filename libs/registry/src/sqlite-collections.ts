import { defaultCollection, demoCollection } from '@vortex/contracts';
import type { Collection, Registry } from './registry.ts';
import { UnknownCollection } from './registry.ts';
import { collectionFrom, summaryFrom } from './rows.ts';
import type { SqliteSession } from './sqlite-session.ts';

type Collections = Pick<
  Registry,
  'ensureCollection' | 'getCollection' | 'listCollections' | 'resolveCollection' | 'bindModel'
>;

export function collectionsOf({ database, now, write, changeCounter }: SqliteSession): Collections {
  const one = database.prepare('SELECT * FROM collections WHERE tenant = ? AND name = ?');
  const all = database.prepare(
    `SELECT c.*, COUNT(d.id) AS documents, COALESCE(SUM(d.chunks), 0) AS chunks, COALESCE(SUM(d.bytes), 0) AS bytes
       FROM collections c
       LEFT JOIN documents d ON d.tenant = c.tenant AND d.collection = c.name AND d.visible_version > 0
      WHERE c.tenant = ? GROUP BY c.tenant, c.name ORDER BY c.name`,
  );
  const insert = database.prepare(
    `INSERT INTO collections (tenant, name, relevance_floor, chunk_size, chunk_overlap, created_at, updated_at)
     VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
  );
  const bind = database.prepare(
    `UPDATE collections SET embedding_model = ?, dimension = ?, revision = revision + 1, updated_at = ?
      WHERE tenant = ? AND name = ?`,
  );
  const anyVisible = database.prepare(
    'SELECT 1 FROM documents WHERE tenant = ? AND collection = ? AND visible_version > 0 LIMIT 1',
  );

  function find(tenant: string, name: string): Collection | null {
    const row = one.get(tenant, name);
    return row === undefined ? null : collectionFrom(row);
  }

  function resolve(tenant: string, name: string): Collection | null {
    const named = find(tenant, name);
    if (name !== defaultCollection || anyVisible.get(tenant, name) !== undefined) return named;
    return find(tenant, demoCollection) ?? named ?? emptyDefault(tenant);
  }

  let resolved = new Map<string, Collection | null>();
  let resolvedAt = -1;

  return {
    async ensureCollection({ tenant, name, relevanceFloor, chunkSize, chunkOverlap }) {
      const present = find(tenant, name);
      if (present !== null) return present;
      const at = now();
      write(() =>
        insert.run(tenant, name, relevanceFloor ?? null, chunkSize ?? null, chunkOverlap ?? null, at, at),
      );
      const created = find(tenant, name);
      if (created === null) throw new UnknownCollection(tenant, name);
      return created;
    },

    async getCollection(tenant, name) {
      return find(tenant, name);
    },

    async listCollections(tenant) {
      return all.all(tenant).map(summaryFrom);
    },

    async resolveCollection(tenant, name) {
      const at = changeCounter();
      // Names come from callers: a bounded map, or made-up names would fill the memory.
      if (at !== resolvedAt || resolved.size > 10_000) {
        resolved = new Map();
        resolvedAt = at;
      }
      const key = `${tenant}\n${name}`;
      const known = resolved.get(key);
      if (known !== undefined) return known;
      const collection = resolve(tenant, name);
      resolved.set(key, collection);
      return collection;
    },

    async bindModel({ tenant, collection, embeddingModel, dimension }) {
      const compare = (row: Collection) =>
        row.embeddingModel === embeddingModel && row.dimension === dimension
          ? ({ outcome: 'unchanged' } as const)
          : ({
              outcome: 'mismatch',
              stored: { embeddingModel: row.embeddingModel ?? '', dimension: row.dimension ?? 0 },
            } as const);
      // Bound already is the usual case, asked once per group: no write lock for it.
      const seen = find(tenant, collection);
      if (seen === null) throw new UnknownCollection(tenant, collection);
      if (seen.embeddingModel !== null) return compare(seen);
      return write(() => {
        const row = one.get(tenant, collection);
        if (row === undefined) throw new UnknownCollection(tenant, collection);
        const current = collectionFrom(row);
        if (current.embeddingModel !== null) return compare(current);
        bind.run(embeddingModel, dimension, now(), tenant, collection);
        return { outcome: 'bound' } as const;
      });
    },
  };
}

/** What a read of `default` finds on a fresh instance: a collection nobody has written to yet. */
function emptyDefault(tenant: string): Collection {
  return {
    tenant,
    name: defaultCollection,
    embeddingModel: null,
    dimension: null,
    relevanceFloor: null,
    chunkSize: null,
    chunkOverlap: null,
    revision: 0,
    createdAt: 0,
    updatedAt: 0,
  };
}
