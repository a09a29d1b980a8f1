import type { QdrantClient } from '@qdrant/js-client-rest';
import { ModelMismatch, StoreRefused, UnknownCollection } from './errors.ts';
import { statusOf } from './qdrant-errors.ts';
import {
  catalogCollection,
  catalogId,
  catalogPayload,
  modelOfPayload,
  payloadIndexes,
  rowsCollection,
  scopeOfPayload,
  sparseName,
  vectorName,
} from './qdrant-points.ts';
import type { Scope, VectorModel } from './vector-store.ts';

/** How long a collection's model is believed unasked: another retriever may drop and remake the collection. */
const believedMs = 5000;
const entriesPerPage = 1000;

/**
 * Which collections exist in Qdrant and with which model, one small point each, found by id; and the
 * Qdrant collections behind them, made when the first collection of a model is.
 */
export class QdrantCatalog {
  /** The catalog's own name in Qdrant. */
  readonly name: string;
  readonly #client: QdrantClient;
  readonly #prefix: string;
  readonly #models = new Map<string, { model: VectorModel; readAt: number }>();
  /** Qdrant collections that this process has seen ready, with their indexes. */
  readonly #ready = new Map<string, Promise<void>>();

  constructor(client: QdrantClient, prefix: string) {
    this.#client = client;
    this.#prefix = prefix;
    this.name = catalogCollection(prefix);
  }

  /** The Qdrant collection that holds the rows of a model. */
  rowsOf(model: VectorModel): string {
    return rowsCollection(this.#prefix, model);
  }

  /** Asks Qdrant. Null also while the catalog itself has not been made: then there is no collection at all. */
  async read(scope: Scope): Promise<VectorModel | null> {
    const id = catalogId(scope);
    this.#models.delete(id);
    try {
      const [entry] = await this.#client.retrieve(this.name, { ids: [id], with_payload: true });
      if (entry === undefined) return null;
      const model = modelOfPayload(entry.payload);
      this.#models.set(id, { model, readAt: performance.now() });
      return model;
    } catch (error) {
      if (statusOf(error) === 404) return null;
      throw error;
    }
  }

  /** The model, as of the last seconds. @throws UnknownCollection */
  async known(scope: Scope): Promise<VectorModel> {
    const remembered = this.#models.get(catalogId(scope));
    if (remembered !== undefined && performance.now() - remembered.readAt < believedMs) {
      return remembered.model;
    }
    const model = await this.read(scope);
    if (model === null) throw new UnknownCollection(scope);
    return model;
  }

  /** Every collection of every tenant; none while the catalog has not been made. */
  async scopes(): Promise<Scope[]> {
    const found: Scope[] = [];
    let offset: string | number | undefined;
    do {
      const page = await this.#client
        .scroll(this.name, {
          ...{ limit: entriesPerPage, with_payload: true, with_vector: false },
          ...(offset !== undefined && { offset }),
        })
        .catch((error: unknown) => {
          if (statusOf(error) === 404) return { points: [], next_page_offset: null };
          throw error;
        });
      found.push(...page.points.flatMap(({ payload }) => scopeOfPayload(payload) ?? []));
      const next = page.next_page_offset;
      offset = typeof next === 'string' || typeof next === 'number' ? next : undefined;
    } while (offset !== undefined);
    return found;
  }

  /** @throws ModelMismatch */
  async ensure(scope: Scope, model: VectorModel): Promise<void> {
    const existing = await this.read(scope);
    if (existing !== null) {
      const same =
        existing.dimension === model.dimension && existing.modelFingerprint === model.modelFingerprint;
      if (!same) throw new ModelMismatch(existing, model);
    }
    await this.#once(this.rowsOf(model), () => this.#makeRows(model));
    if (existing !== null) return;
    await this.#once(this.name, () => this.#makeCatalog());
    await this.#client.upsert(this.name, {
      wait: true,
      points: [{ id: catalogId(scope), vector: [1], payload: catalogPayload(scope, model) }],
    });
  }

  async remove(scope: Scope): Promise<void> {
    await this.#client.delete(this.name, { wait: true, points: [catalogId(scope)] });
    this.#models.delete(catalogId(scope));
  }

  async #once(collection: string, make: () => Promise<void>): Promise<void> {
    const begun = this.#ready.get(collection) ?? make();
    this.#ready.set(collection, begun);
    try {
      await begun;
    } catch (error) {
      this.#ready.delete(collection);
      throw error;
    }
  }

  async #makeRows(model: VectorModel): Promise<void> {
    const collection = this.rowsOf(model);
    await this.#create(collection, {
      vectors: { [vectorName]: { size: model.dimension, distance: 'Cosine' } },
      sparse_vectors: { [sparseName]: { modifier: 'idf' } },
      // Every search names its tenant, so one graph per tenant and none over all: Qdrant's advice.
      hnsw_config: { payload_m: 16, m: 0 },
    });
    const { config } = await this.#client.getCollection(collection);
    if (config.params.sparse_vectors?.[sparseName] === undefined) {
      throw new StoreRefused(
        `the collection ${collection} in Qdrant was made before Vortex searched by words: delete it there and ` +
          'ingest its documents again',
      );
    }
    // Also on a collection that was there: the process that made it may have died before its indexes.
    for (const index of payloadIndexes) {
      await this.#client.createPayloadIndex(collection, { wait: true, ...index });
    }
  }

  /** The one-number vector is there because not every release of Qdrant stores points without one. */
  async #makeCatalog(): Promise<void> {
    await this.#create(this.name, { vectors: { size: 1, distance: 'Dot' } });
  }

  async #create(collection: string, settings: Parameters<QdrantClient['createCollection']>[1]) {
    if ((await this.#client.collectionExists(collection)).exists) return;
    try {
      await this.#client.createCollection(collection, settings);
    } catch (error) {
      // Another retriever was faster: "already exists" is 409, older servers say 400.
      const exists = statusOf(error) === 409 || statusOf(error) === 400;
      if (!exists || !(await this.#client.collectionExists(collection)).exists) throw error;
    }
  }
}
