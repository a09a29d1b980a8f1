import { defaultCollection, demoCollection } from '@vortex/contracts';
import type { Collection, NewCollection } from '../records.ts';
import type { Registry } from '../registry.ts';
import { CollectionDeleting } from '../registry-failures.ts';
import { collectionFrom, summaryFrom } from '../rows.ts';
import { bindModel } from './bind-model.ts';
import { findCollection } from './find-collection.ts';
import { all, first, type SqlSession, type Steps, type Value } from './steps.ts';

type Collections = Pick<
  Registry,
  | 'ensureCollection'
  | 'createCollection'
  | 'updateCollection'
  | 'getCollection'
  | 'listCollections'
  | 'summarizeCollection'
  | 'resolveCollection'
  | 'bindModel'
>;

const summaries = (which: string) => `
  SELECT c.*, COUNT(d.id) AS documents, COALESCE(SUM(d.chunks), 0) AS chunks, COALESCE(SUM(d.bytes), 0) AS bytes
    FROM collections c
    LEFT JOIN documents d ON d.tenant = c.tenant AND d.collection = c.name AND d.visible_version > 0
   WHERE c.tenant = :tenant AND c.state = 'active' ${which} GROUP BY c.tenant, c.name ORDER BY c.name`;

export function collectionsOf(session: SqlSession): Collections {
  const { now, read, write, changeCounter } = session;
  let resolved = new Map<string, Collection | null>();
  let resolvedAt = -1;

  return {
    async ensureCollection(input) {
      const present = await read(() => findCollection(input.tenant, input.name));
      if (present !== null) return present;
      const created = await write(function* () {
        return (yield* create(input, now())) ?? (yield* findCollection(input.tenant, input.name));
      });
      if (created === null) throw new CollectionDeleting(input.name);
      return created;
    },

    createCollection: (input) => write(() => create(input, now())),

    updateCollection: (tenant, name, changes) =>
      write(function* () {
        const columns = {
          relevance_floor: changes.relevanceFloor,
          chunk_size: changes.chunkSize,
          chunk_overlap: changes.chunkOverlap,
          chunking_strategy: changes.chunkingStrategy,
        };
        const given = Object.entries(columns).flatMap(([column, value]) =>
          value === undefined ? [] : [[column, value] as const],
        );
        const set = given.map(([column]) => `${column} = :${column}`);
        const values: Record<string, Value> = { ...Object.fromEntries(given), tenant, name, at: now() };
        const row = yield* first(
          `UPDATE collections SET ${[...set, 'revision = revision + 1', 'updated_at = :at'].join(', ')}
            WHERE tenant = :tenant AND name = :name AND state = 'active' RETURNING *`,
          values,
        );
        return row === undefined ? null : collectionFrom(row);
      }),

    getCollection: (tenant, name) => read(() => findCollection(tenant, name)),

    async listCollections(tenant) {
      return (await read(() => all(summaries(''), { tenant }))).map(summaryFrom);
    },

    async summarizeCollection(tenant, name) {
      const row = await read(() => first(summaries('AND c.name = :name'), { tenant, name }));
      return row === undefined ? null : summaryFrom(row);
    },

    async resolveCollection(tenant, name, { byNameOnly } = { byNameOnly: false }) {
      const at = await changeCounter();
      // Names come from callers: a bounded map, or made-up names would fill the memory.
      if (at !== resolvedAt || resolved.size > 10_000) {
        resolved = new Map();
        resolvedAt = at;
      }
      // Kept for those who have seen the same counter: another call may move on while this one reads.
      const known = resolved;
      const key = `${tenant}\n${name}\n${byNameOnly}`;
      const before = known.get(key);
      if (before !== undefined) return before;
      const collection = await read(() => resolve(tenant, name, byNameOnly));
      known.set(key, collection);
      return collection;
    },

    bindModel: (input) => bindModel(session, input),
  };
}

function* create(input: NewCollection, at: number): Steps<Collection | null> {
  const { tenant, name, relevanceFloor, chunkSize, chunkOverlap, chunkingStrategy, model } = input;
  const row = yield* first(
    `INSERT INTO collections (tenant, name, embedding_model, dimension, relevance_floor, chunk_size, chunk_overlap,
                              chunking_strategy, created_at, updated_at)
     VALUES (:tenant, :name, :embeddingModel, :dimension, :relevanceFloor, :chunkSize, :chunkOverlap,
             :chunkingStrategy, :at, :at) ON CONFLICT DO NOTHING RETURNING *`,
    {
      ...{ tenant, name, at },
      embeddingModel: model?.embeddingModel ?? null,
      dimension: model?.dimension ?? null,
      relevanceFloor: relevanceFloor ?? null,
      chunkSize: chunkSize ?? null,
      chunkOverlap: chunkOverlap ?? null,
      chunkingStrategy: chunkingStrategy ?? null,
    },
  );
  return row === undefined ? null : collectionFrom(row);
}

function* resolve(tenant: string, name: string, byNameOnly: boolean): Steps<Collection | null> {
  const named = yield* findCollection(tenant, name);
  if (name !== defaultCollection) return named;
  if (byNameOnly) return named ?? emptyDefault(tenant);
  const visible = yield* first(
    `SELECT 1 AS visible FROM documents
      WHERE tenant = :tenant AND collection = :name AND visible_version > 0 LIMIT 1`,
    { tenant, name },
  );
  if (visible !== undefined) return named;
  return (yield* findCollection(tenant, demoCollection)) ?? named ?? emptyDefault(tenant);
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
    chunkingStrategy: null,
    revision: 0,
    createdAt: 0,
    updatedAt: 0,
  };
}
