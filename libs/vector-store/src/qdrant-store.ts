import { QdrantClient } from '@qdrant/js-client-rest';
import type { Logger } from '@vortex/observability';
import { isBetter } from './best-rows.ts';
import { checkLimit, checkQuery, checkQuestion, checkRows } from './check-rows.ts';
import { StoreUnavailable } from './errors.ts';
import { qdrantAddress } from './qdrant-address.ts';
import { QdrantCatalog } from './qdrant-catalog.ts';
import { statusOf, translateQdrant } from './qdrant-errors.ts';
import {
  type Payload,
  pointBytes,
  searchFilter,
  sparseName,
  toChunk,
  toPoint,
  toVector,
  vectorName,
  versionConditions,
  within,
} from './qdrant-points.ts';
import { sparseOfQuestion } from './qdrant-sparse.ts';
import { versionKey } from './row-id.ts';
import type {
  ChunkRow,
  CollectionDescription,
  DocumentVersion,
  RankedRow,
  RowFilter,
  Scope,
  StoredChunk,
  StoredRow,
  StoredVersion,
  StoreHealth,
  StoreHit,
  TextQuery,
  VectorModel,
  VectorQuery,
  VectorStore,
} from './vector-store.ts';

export interface QdrantStoreOptions {
  /** `http://host:6333`; port 6333 when none is written. */
  url: string;
  apiKey?: string | null | undefined;
  /** What the names of our collections in Qdrant begin with; two installations on one server differ here. */
  collectionPrefix?: string;
  timeoutMs?: number;
  log: Logger;
}

/** Qdrant refuses requests over 32 MB; small ones let other writers in between. */
const requestBytes = 4 * 1024 * 1024;
const requestPoints = 128;
const idsPerRequest = 500;
const rowsPerPage = 256;
const versionsPerPage = 2000;

/** Connects lazily: resolves also while Qdrant is down, and every call then fails with StoreUnavailable. */
export function openQdrantStore(options: QdrantStoreOptions): VectorStore {
  return new QdrantStore(options);
}

/**
 * One piece, though long: a method per call of the port, none of which knows another. Shapes and filters are in
 * qdrant-points.ts.
 */
class QdrantStore implements VectorStore {
  readonly #client: QdrantClient;
  readonly #url: string;
  readonly #catalog: QdrantCatalog;
  #closed = false;

  constructor({ url, apiKey, collectionPrefix = 'vortex', timeoutMs = 30_000, log }: QdrantStoreOptions) {
    const address = qdrantAddress(url);
    this.#url = `${address.url}:${address.port}${address.prefix ?? ''}`;
    if (apiKey && address.url.startsWith('http:') && !/\/\/(localhost|127\.|\[::1\])/.test(address.url)) {
      log.warn({ url: this.#url }, 'the Qdrant API key travels unencrypted: use https');
    }
    this.#client = new QdrantClient({
      ...address,
      timeout: timeoutMs,
      // As a header, not as `apiKey`: with that the client prints a warning of its own to the console.
      ...(apiKey && { headers: { 'api-key': apiKey } }),
      // It would ask the server's version in the background and print to the console.
      checkCompatibility: false,
    });
    this.#catalog = new QdrantCatalog(this.#client, collectionPrefix);
  }

  async ensureCollection(scope: Scope, model: VectorModel): Promise<void> {
    await this.#asked(() => this.#catalog.ensure(scope, model));
  }

  async describe(scope: Scope): Promise<CollectionDescription | null> {
    return this.#asked(async () => {
      const model = await this.#catalog.read(scope);
      return model === null ? null : { ...model, rows: await this.#countRows(scope, model) };
    });
  }

  async dropCollection(scope: Scope): Promise<void> {
    await this.#asked(async () => {
      const model = await this.#catalog.read(scope);
      if (model === null) return;
      const rows = this.#catalog.rowsOf(model);
      // The entry goes last: a drop that was cut off is found by the next one.
      await this.#absentIsDone(this.#client.delete(rows, { wait: true, filter: within(scope) }));
      await this.#catalog.remove(scope);
    });
  }

  async upsert(scope: Scope, rows: readonly ChunkRow[]): Promise<void> {
    await this.#asked(async () => {
      const model = await this.#catalog.known(scope);
      const checked = checkRows(scope, model, rows);
      for (const batch of batches(checked)) {
        await this.#client.upsert(this.#catalog.rowsOf(model), {
          wait: true,
          points: batch.map((row) => toPoint(scope, row)),
        });
      }
    });
  }

  async search(scope: Scope, query: VectorQuery): Promise<StoreHit[]> {
    const points = await this.#nearest(scope, query, true);
    return points.map((point) => ({ chunk: toChunk(point.id, point.payload), score: point.score }));
  }

  async rank(scope: Scope, query: VectorQuery): Promise<RankedRow[]> {
    return (await this.#nearest(scope, query, [...rankFields])).map(toRankedRow);
  }

  async rankText(scope: Scope, query: TextQuery): Promise<RankedRow[]> {
    return this.#asked(async () => {
      const model = await this.#catalog.known(scope);
      checkLimit(query);
      const words = sparseOfQuestion(query.text);
      if (words.indices.length === 0) return [];
      const points = await this.#points(scope, model, query, {
        query: words,
        using: sparseName,
        limit: query.limit,
        with_payload: [...rankFields],
      });
      return points.map(toRankedRow).sort((one, other) => (isBetter(one, other) ? -1 : 1));
    });
  }

  async cosines(scope: Scope, vector: Float32Array, ids: readonly string[]): Promise<Map<string, number>> {
    return this.#asked(async () => {
      const model = await this.#catalog.known(scope);
      checkQuestion(model, vector);
      const found = new Map<string, number>();
      for (let from = 0; from < ids.length; from += idsPerRequest) {
        const some = [...new Set(ids.slice(from, from + idsPerRequest))];
        const { points } = await this.#client.query(this.#catalog.rowsOf(model), {
          query: [...vector],
          using: vectorName,
          filter: { must: [...within(scope).must, { has_id: some }] },
          params: { exact: true },
          limit: some.length,
          with_payload: false,
          with_vector: false,
        });
        for (const { id, score } of points) found.set(String(id), score);
      }
      return found;
    });
  }

  async fetch(scope: Scope, ids: readonly string[]): Promise<StoredChunk[]> {
    return this.#asked(async () => {
      const model = await this.#catalog.known(scope);
      const chunks: StoredChunk[] = [];
      for (let from = 0; from < ids.length; from += idsPerRequest) {
        const points = await this.#client.retrieve(this.#catalog.rowsOf(model), {
          ids: ids.slice(from, from + idsPerRequest),
          with_payload: true,
          with_vector: false,
        });
        // Asked by id, so without a filter: an id of another collection must not open it.
        const own = points.filter(
          ({ payload }) => payload?.tenant === scope.tenant && payload?.collection === scope.collection,
        );
        chunks.push(...own.map((point) => toChunk(point.id, point.payload)));
      }
      return chunks;
    });
  }

  async deleteVersions(scope: Scope, versions: readonly DocumentVersion[]): Promise<void> {
    await this.#asked(async () => {
      const model = await this.#catalog.read(scope);
      if (model === null) return;
      for (let from = 0; from < versions.length; from += idsPerRequest) {
        for (const conditions of versionConditions(versions.slice(from, from + idsPerRequest))) {
          const filter = { must: [...within(scope).must, ...conditions] };
          await this.#client.delete(this.#catalog.rowsOf(model), { wait: true, filter });
        }
      }
    });
  }

  async deleteDocument(scope: Scope, documentId: string): Promise<void> {
    await this.#asked(async () => {
      const model = await this.#catalog.read(scope);
      if (model === null) return;
      const document = { key: 'document_id', match: { value: documentId } };
      const filter = { must: [...within(scope).must, document] };
      await this.#client.delete(this.#catalog.rowsOf(model), { wait: true, filter });
    });
  }

  async listScopes(): Promise<Scope[]> {
    return this.#asked(() => this.#catalog.scopes());
  }

  async listVersions(scope: Scope): Promise<StoredVersion[]> {
    return this.#asked(async () => {
      const model = await this.#catalog.read(scope);
      const versions = new Map<string, StoredVersion>();
      if (model === null) return [];
      const fields = { with_payload: ['document_id', 'version'], with_vector: false };
      for await (const points of this.#pages(scope, model, { ...fields, limit: versionsPerPage })) {
        for (const { payload } of points) {
          const version = { document_id: String(payload?.document_id), version: Number(payload?.version) };
          const known = versions.get(versionKey(version)) ?? { ...version, rows: 0 };
          known.rows += 1;
          versions.set(versionKey(version), known);
        }
      }
      return [...versions.values()];
    });
  }

  async count(scope: Scope): Promise<number> {
    return this.#asked(async () => {
      const model = await this.#catalog.read(scope);
      return model === null ? 0 : this.#countRows(scope, model);
    });
  }

  async lexicalCount(scope: Scope): Promise<number> {
    return this.#asked(async () => {
      const model = await this.#catalog.read(scope);
      if (model === null) return 0;
      const filter = { must: [...within(scope).must, { has_vector: sparseName }] };
      return (await this.#client.count(this.#catalog.rowsOf(model), { filter, exact: true })).count;
    });
  }

  async *scan(scope: Scope): AsyncIterable<StoredRow[]> {
    try {
      const model = await this.#asked(() => this.#catalog.known(scope));
      const fields = { with_payload: true, with_vector: [vectorName], limit: rowsPerPage };
      for await (const points of this.#pages(scope, model, fields)) {
        yield points.map((point) => ({
          ...toChunk(point.id, point.payload),
          vector: toVector(point.vector),
        }));
      }
    } catch (error) {
      throw translateQdrant(error, this.#url);
    }
  }

  async health(): Promise<StoreHealth> {
    try {
      await this.#asked(() => this.#client.collectionExists(this.#catalog.name));
      return { ok: true, detail: `Qdrant at ${this.#url}` };
    } catch (error) {
      return { ok: false, detail: error instanceof Error ? error.message : String(error) };
    }
  }

  /** The client has nothing to close: its idle connections keep no process alive and end after 10 s. */
  async close(): Promise<void> {
    this.#closed = true;
  }

  async #asked<Result>(ask: () => Promise<Result>): Promise<Result> {
    if (this.#closed) throw new StoreUnavailable('the vector store is closed');
    try {
      return await ask();
    } catch (error) {
      throw translateQdrant(error, this.#url);
    }
  }

  #nearest(scope: Scope, query: VectorQuery, shown: true | string[]) {
    return this.#asked(async () => {
      const model = await this.#catalog.known(scope);
      checkQuery(model, query);
      return this.#points(scope, model, query, {
        query: [...query.vector],
        using: vectorName,
        limit: query.limit,
        with_payload: shown,
      });
    });
  }

  async #points(
    scope: Scope,
    model: VectorModel,
    filter: RowFilter,
    request: Parameters<QdrantClient['query']>[1],
  ) {
    if (filter.included?.length === 0) return [];
    const found = await this.#client.query(this.#catalog.rowsOf(model), {
      ...request,
      filter: searchFilter(scope, filter),
      with_vector: false,
    });
    return found.points;
  }

  async *#pages(
    scope: Scope,
    model: VectorModel,
    fields: { with_payload: boolean | string[]; with_vector: boolean | string[]; limit: number },
  ) {
    const collection = this.#catalog.rowsOf(model);
    let offset: string | number | undefined;
    do {
      const page = await this.#client.scroll(collection, {
        filter: within(scope),
        ...fields,
        ...(offset !== undefined && { offset }),
      });
      yield page.points;
      const next = page.next_page_offset;
      offset = typeof next === 'string' || typeof next === 'number' ? next : undefined;
    } while (offset !== undefined);
  }

  async #countRows(scope: Scope, model: VectorModel): Promise<number> {
    const collection = this.#catalog.rowsOf(model);
    return (await this.#client.count(collection, { filter: within(scope), exact: true })).count;
  }

  async #absentIsDone(work: Promise<unknown>): Promise<void> {
    try {
      await work;
    } catch (error) {
      if (statusOf(error) !== 404) throw error;
    }
  }
}

const rankFields = ['document_id', 'version'];

function toRankedRow(point: { id: string | number; score: number; payload?: Payload | null }): RankedRow {
  const { document_id, version } = point.payload ?? {};
  return {
    id: String(point.id),
    document_id: String(document_id),
    version: Number(version),
    score: point.score,
  };
}

function* batches(rows: readonly StoredRow[]): Generator<StoredRow[]> {
  let batch: StoredRow[] = [];
  let bytes = 0;
  for (const row of rows) {
    const more = pointBytes(row);
    if (batch.length > 0 && (batch.length === requestPoints || bytes + more > requestBytes)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(row);
    bytes += more;
  }
  if (batch.length > 0) yield batch;
}
