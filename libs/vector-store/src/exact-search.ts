import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ScoredId } from './best-rows.ts';
import { checkLimit, checkQuery, checkQuestion, checkRows } from './check-rows.ts';
import { ChunkCache } from './chunk-cache.ts';
import { UnknownCollection, VectorStoreError } from './errors.ts';
import { ExactIndex } from './exact-index.ts';
import { LexicalIndex } from './lexical-index.ts';
import { versionKey } from './row-id.ts';
import { SerialQueue } from './serial-queue.ts';
import type {
  ChunkRow,
  DocumentVersion,
  RankedRow,
  Scope,
  StoredChunk,
  VectorModel,
  VectorStore,
} from './vector-store.ts';

export interface ExactSearchOptions {
  /** Collections of at most this many rows are searched in memory. */
  exactBelow: number;
  /** Vectors and words kept in memory, all collections together; the collection not searched longest goes first. */
  maxIndexBytes?: number;
  /** Chunks kept beside them; others are fetched from the store by id. */
  maxChunkBytes?: number;
}

/**
 * What is known of a collection:
 * - `cold`: nothing. The first search loads it, and moves it to one of the others.
 * - `exact`: its vectors and its words are in memory, and every write that succeeded is in them.
 * - `large`: it has too many rows; searches go to the store. A delete may make it small: cold again.
 * A write of unknown outcome makes it cold: what the store holds then is found out by loading anew.
 * Loads and writes of a collection pass through one queue, so that no load misses a write beside it.
 *
 * One piece, because loads, writes and evictions are the writers of this one state.
 */
interface Collection {
  state: { kind: 'cold' } | { kind: 'large' } | ExactState;
  readonly queue: SerialQueue;
  waiting: number;
}

interface ExactState {
  kind: 'exact';
  index: ExactIndex;
  lexical: LexicalIndex;
  model: VectorModel;
}

const cold = { kind: 'cold' } as const;
const large = { kind: 'large' } as const;
/** Room to grow before a collection counts as large, so that one at the border does not flutter. */
const slack = 1.25;
/** Rows whose words are cut between two turns of the event loop: 0.1 ms a row. */
const rowsPerTurn = 100;

/**
 * The same port, with small collections searched exactly in memory: 0.06 ms of CPU at 1,400 rows where
 * LanceDB takes 2.8, and 0.06 for BM25 where LanceDB takes 3.5. Only over a store that this process alone writes,
 * for nothing tells it of other writers.
 */
export function withExactSearch(store: VectorStore, options: ExactSearchOptions): VectorStore {
  const { exactBelow, maxIndexBytes = 64 * 1024 * 1024, maxChunkBytes = 32 * 1024 * 1024 } = options;
  const chunks = new ChunkCache(maxChunkBytes);
  /** In order of the last search: a Map iterates as it was filled. */
  const collections = new Map<string, Collection>();

  function collectionOf(scope: Scope): Collection {
    const key = JSON.stringify([scope.tenant, scope.collection]);
    const collection = collections.get(key) ?? { state: cold, queue: new SerialQueue(), waiting: 0 };
    collections.delete(key);
    collections.set(key, collection);
    return collection;
  }

  async function inTurn<Result>(collection: Collection, task: () => Promise<Result>): Promise<Result> {
    collection.waiting += 1;
    try {
      return await collection.queue.run(task);
    } finally {
      collection.waiting -= 1;
    }
  }

  async function load(scope: Scope, collection: Collection): Promise<void> {
    if (collection.state.kind !== 'cold') return;
    const described = await store.describe(scope);
    if (described === null) throw new UnknownCollection(scope);
    if (described.rows > exactBelow) {
      collection.state = large;
      return;
    }
    const { rows: _, ...model } = described;
    collection.state = (await loadIndex(scope, model)) ?? large;
    makeRoom(collection);
  }

  /** Null where the process may not have the address space: WebAssembly reserves 8 GB of it per memory. */
  async function loadIndex(scope: Scope, model: VectorModel): Promise<ExactState | null> {
    try {
      const [index, lexical] = [new ExactIndex(model.dimension), new LexicalIndex()];
      for await (const rows of store.scan(scope)) {
        index.put(rows);
        for (let from = 0; from < rows.length; from += rowsPerTurn) {
          lexical.put(rows.slice(from, from + rowsPerTurn));
          await nextTurn();
        }
        for (const { vector: _vector, ...chunk } of rows) chunks.put(chunk);
      }
      return { kind: 'exact', index, lexical, model };
    } catch (error) {
      if (error instanceof RangeError) return null;
      throw error;
    }
  }

  function makeRoom(newest: Collection): void {
    let bytes = 0;
    for (const { state } of collections.values()) bytes += bytesOf(state);
    for (const collection of collections.values()) {
      if (bytes <= maxIndexBytes || collection === newest) return;
      if (collection.state.kind !== 'exact') continue;
      bytes -= bytesOf(collection.state);
      collection.state = cold;
    }
  }

  /** Writes to the store, then to memory what the store has taken. */
  function write(scope: Scope, toStore: () => Promise<void>, toMemory: (collection: Collection) => void) {
    const collection = collectionOf(scope);
    return inTurn(collection, async () => {
      try {
        await toStore();
      } catch (error) {
        const refused = error instanceof VectorStoreError && !error.mayRetry;
        if (!refused) collection.state = cold;
        throw error;
      }
      try {
        toMemory(collection);
      } catch {
        // The store has taken the write; that no more memory could be had is not the writer's failure.
        collection.state = large;
      }
    });
  }

  function remove(collection: Collection, gone: (version: DocumentVersion) => boolean): void {
    if (collection.state.kind === 'large') collection.state = cold;
    if (collection.state.kind !== 'exact') return;
    collection.state.lexical.remove(gone);
    for (const id of collection.state.index.remove(gone)) chunks.delete(id);
  }

  /** What is in memory of a collection; null when the store is to be asked. */
  async function inMemory(scope: Scope): Promise<ExactState | null> {
    const collection = collectionOf(scope);
    if (collection.state.kind === 'cold') {
      const loaded = inTurn(collection, () => load(scope, collection));
      if (collection.waiting === 1) await loaded;
      // Behind writes, which may take long: the store itself can answer meanwhile.
      else loaded.catch(() => undefined);
    }
    return collection.state.kind === 'exact' ? collection.state : null;
  }

  async function chunksById(scope: Scope, { index }: ExactState, ids: readonly string[]) {
    const byId = new Map<string, StoredChunk>();
    const missing: string[] = [];
    for (const id of ids) {
      if (!index.has(id)) continue;
      const chunk = chunks.get(id);
      if (chunk === undefined) missing.push(id);
      else byId.set(id, chunk);
    }
    if (missing.length > 0) {
      for (const chunk of await store.fetch(scope, missing)) {
        byId.set(chunk.id, chunk);
        // Deleted or overwritten while it was fetched: memory knows better.
        if (index.has(chunk.id) && chunks.get(chunk.id) === undefined) chunks.put(chunk);
      }
    }
    return byId;
  }

  return {
    ...passedOn(store),

    async search(scope, query) {
      const state = await inMemory(scope);
      if (state === null) return store.search(scope, query);
      checkQuery(state.model, query);
      const best = state.index.search(query.vector, query.limit, query);
      const byId = await chunksById(
        scope,
        state,
        best.map(({ id }) => id),
      );
      return best.flatMap(({ id, score }) => {
        const chunk = byId.get(id);
        return chunk === undefined ? [] : [{ chunk, score }];
      });
    },

    async rank(scope, query) {
      const state = await inMemory(scope);
      if (state === null) return store.rank(scope, query);
      checkQuery(state.model, query);
      return ranked(state, state.index.search(query.vector, query.limit, query));
    },

    async rankText(scope, query) {
      const state = await inMemory(scope);
      if (state === null) return store.rankText(scope, query);
      checkLimit(query);
      return ranked(state, state.lexical.search(query.text, query.limit, query));
    },

    async cosines(scope, vector, ids) {
      const state = await inMemory(scope);
      if (state === null) return store.cosines(scope, vector, ids);
      checkQuestion(state.model, vector);
      return state.index.cosines(vector, ids);
    },

    async fetch(scope, ids) {
      const { state } = collectionOf(scope);
      if (state.kind !== 'exact') return store.fetch(scope, ids);
      return [...(await chunksById(scope, state, ids)).values()];
    },

    /** Of what is searched: in memory where that is loaded. */
    async lexicalCount(scope) {
      const { state } = collectionOf(scope);
      return state.kind === 'exact' ? state.lexical.size : store.lexicalCount(scope);
    },

    upsert(scope, rows) {
      return write(
        scope,
        () => store.upsert(scope, rows),
        (collection) => putRows(scope, collection, rows),
      );
    },

    deleteVersions(scope, versions) {
      const keys = new Set(versions.map(versionKey));
      return write(
        scope,
        () => store.deleteVersions(scope, versions),
        (collection) => remove(collection, (version) => keys.has(versionKey(version))),
      );
    },

    deleteDocument(scope, documentId) {
      return write(
        scope,
        () => store.deleteDocument(scope, documentId),
        (collection) => remove(collection, (version) => version.document_id === documentId),
      );
    },

    dropCollection(scope) {
      return write(
        scope,
        () => store.dropCollection(scope),
        (collection) => {
          remove(collection, () => true);
          collection.state = cold;
        },
      );
    },

    async close() {
      await store.close();
      for (const collection of collections.values()) collection.state = cold;
    },
  };

  function putRows(scope: Scope, collection: Collection, rows: readonly ChunkRow[]): void {
    if (collection.state.kind !== 'exact') return;
    const { index, lexical, model } = collection.state;
    const checked = checkRows(scope, model, rows);
    index.put(checked);
    lexical.put(checked);
    for (const { vector: _, ...chunk } of checked) chunks.put(chunk);
    if (index.size > exactBelow * slack) {
      collection.state = large;
      for (const id of index.remove(() => true)) chunks.delete(id);
    }
    makeRoom(collection);
  }
}

function bytesOf(state: Collection['state']): number {
  return state.kind === 'exact' ? state.index.bytes + state.lexical.bytes : 0;
}

function ranked({ index }: ExactState, best: readonly ScoredId[]): RankedRow[] {
  return best.flatMap(({ id, score }) => {
    const version = index.versionOf(id);
    return version === undefined
      ? []
      : [{ id, document_id: version.document_id, version: version.version, score }];
  });
}

/** The calls that need no memory. Spelled out: a spread of a class instance would lose its methods. */
function passedOn(store: VectorStore) {
  return {
    ensureCollection: (...call) => store.ensureCollection(...call),
    describe: (...call) => store.describe(...call),
    listScopes: () => store.listScopes(),
    listVersions: (...call) => store.listVersions(...call),
    count: (...call) => store.count(...call),
    scan: (...call) => store.scan(...call),
    health: () => store.health(),
  } satisfies Partial<VectorStore>;
}
