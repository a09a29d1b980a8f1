import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Connection, connect, Session } from '@lancedb/lancedb';
import type { Logger } from '@vortex/observability';
import { ModelMismatch, StoreUnavailable, UnknownCollection, VectorStoreError } from './errors.ts';
import { modelOf, scopeOf, tableName, tableSchema } from './lancedb-rows.ts';
import { LanceTable } from './lancedb-table.ts';
import { type OwnerLock, takeOwnership } from './owner-lock.ts';
import { type UpkeepLimits, upkeepLimits } from './upkeep-plan.ts';
import type { Scope, StoredRow, StoreHealth, VectorModel, VectorStore } from './vector-store.ts';

export interface LanceStoreOptions {
  /** Folder of the database; created when missing. One process at a time. */
  dir: string;
  log: Logger;
  limits?: Partial<UpkeepLimits>;
}

/** The port on LanceDB, plus what only an embedded database needs. */
export interface LanceStore extends VectorStore {
  /** Compacts and indexes a collection now instead of when its writes have settled. */
  upkeep(scope: Scope): Promise<void>;
}

// Lance's defaults are 6 GB and 1 GB; the retriever is to idle at 200 MB.
const indexCacheBytes = 256n * 1024n * 1024n;
const metadataCacheBytes = 64n * 1024n * 1024n;

/** @throws StoreUnavailable when another process owns the folder. */
export async function openLanceStore(options: LanceStoreOptions): Promise<LanceStore> {
  // Set here and not by the launcher: without it Lance prints a line of its own to standard error, which
  // is not JSON, about statistics that its own upkeep reads.
  process.env.LANCE_INCLUDE_VECTOR_CENTROIDS ??= 'false';
  await mkdir(options.dir, { recursive: true });
  const lock = takeOwnership(join(options.dir, 'owner.lock'));
  try {
    const session = new Session(indexCacheBytes, metadataCacheBytes);
    const connection = await connect(options.dir, { session });
    return new OpenLanceStore(connection, lock, options);
  } catch (cause) {
    lock.release();
    throw new StoreUnavailable(`the vector store in ${options.dir} cannot be opened`, cause);
  }
}

class OpenLanceStore implements LanceStore {
  readonly #connection: Connection;
  readonly #lock: OwnerLock;
  readonly #dir: string;
  readonly #log: Logger;
  readonly #limits: UpkeepLimits;
  /** Opened tables; a promise, so that two first calls share one opening. */
  readonly #tables = new Map<string, Promise<LanceTable | null>>();
  #closing: Promise<void> | undefined;

  constructor(connection: Connection, lock: OwnerLock, options: LanceStoreOptions) {
    this.#connection = connection;
    this.#lock = lock;
    this.#dir = options.dir;
    this.#log = options.log;
    this.#limits = { ...upkeepLimits, ...options.limits };
  }

  async ensureCollection(scope: Scope, model: VectorModel): Promise<void> {
    const existing = await this.#table(scope);
    const table = existing ?? (await this.#create(scope, model));
    const same =
      table.model.dimension === model.dimension && table.model.modelFingerprint === model.modelFingerprint;
    if (!same) throw new ModelMismatch(table.model, model);
  }

  async describe(scope: Scope) {
    const table = await this.#table(scope);
    return table === null ? null : { ...table.model, rows: await this.#translated(table.count()) };
  }

  async dropCollection(scope: Scope): Promise<void> {
    const table = await this.#table(scope);
    if (table === null) return;
    const name = tableName(scope);
    const dropped = table.retire(() => this.#connection.dropTable(name));
    // Calls that come while the folder is being removed wait for it, then find nothing.
    this.#tables.set(
      name,
      dropped.then(
        () => null,
        () => null,
      ),
    );
    try {
      await this.#translated(dropped);
    } finally {
      this.#tables.delete(name);
    }
  }

  async upsert(...[scope, rows]: Parameters<VectorStore['upsert']>): Promise<void> {
    const table = await this.#known(scope);
    await this.#translated(table.upsert(rows));
  }

  async search(...[scope, query]: Parameters<VectorStore['search']>) {
    const table = await this.#known(scope);
    return this.#translated(table.search(query));
  }

  async rank(...[scope, query]: Parameters<VectorStore['rank']>) {
    const table = await this.#known(scope);
    return this.#translated(table.rank(query));
  }

  async rankText(...[scope, query]: Parameters<VectorStore['rankText']>) {
    const table = await this.#known(scope);
    return this.#translated(table.rankText(query));
  }

  async cosines(...[scope, vector, ids]: Parameters<VectorStore['cosines']>) {
    const table = await this.#known(scope);
    return this.#translated(table.cosines(vector, ids));
  }

  async fetch(scope: Scope, ids: readonly string[]) {
    const table = await this.#known(scope);
    return this.#translated(table.fetch(ids));
  }

  async deleteVersions(...[scope, versions]: Parameters<VectorStore['deleteVersions']>): Promise<void> {
    const table = await this.#table(scope);
    if (table !== null) await this.#translated(table.deleteVersions(versions));
  }

  async deleteDocument(scope: Scope, documentId: string): Promise<void> {
    const table = await this.#table(scope);
    if (table !== null) await this.#translated(table.deleteDocument(documentId));
  }

  async listScopes(): Promise<Scope[]> {
    if (this.#closing !== undefined) throw new StoreUnavailable('the vector store is closed');
    return this.#translated(this.#readScopes());
  }

  async #readScopes(): Promise<Scope[]> {
    const scopes: Scope[] = [];
    let names: string[];
    let startAfter: string | undefined;
    do {
      names = await this.#connection.tableNames({
        limit: 100,
        ...(startAfter !== undefined && { startAfter }),
      });
      for (const name of names) {
        const table = await this.#openTable(name);
        const scope = table === null ? null : scopeOf(name, await table.schema());
        if (scope !== null) scopes.push(scope);
      }
      startAfter = names.at(-1);
    } while (names.length > 0);
    return scopes;
  }

  async listVersions(scope: Scope) {
    const table = await this.#table(scope);
    return table === null ? [] : this.#translated(table.listVersions());
  }

  async count(scope: Scope): Promise<number> {
    const table = await this.#table(scope);
    return table === null ? 0 : this.#translated(table.count());
  }

  async lexicalCount(scope: Scope): Promise<number> {
    const table = await this.#table(scope);
    return table === null ? 0 : this.#translated(table.lexicalCount());
  }

  async *scan(scope: Scope): AsyncIterable<StoredRow[]> {
    const table = await this.#known(scope);
    try {
      yield* table.scan();
    } catch (error) {
      throw translate(error);
    }
  }

  async upkeep(scope: Scope): Promise<void> {
    const table = await this.#known(scope);
    await this.#translated(table.upkeep());
  }

  async health(): Promise<StoreHealth> {
    if (this.#closing !== undefined) return { ok: false, detail: 'the vector store is closed' };
    try {
      await this.#connection.tableNames({ limit: 1 });
      return { ok: true, detail: `LanceDB in ${this.#dir}` };
    } catch (error) {
      return { ok: false, detail: `LanceDB in ${this.#dir} cannot be read: ${String(error)}` };
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#closeAll();
    return this.#closing;
  }

  async #closeAll(): Promise<void> {
    const tables = await Promise.allSettled(this.#tables.values());
    for (const table of tables) if (table.status === 'fulfilled') await table.value?.close();
    this.#lock.release();
  }

  async #known(scope: Scope): Promise<LanceTable> {
    const table = await this.#table(scope);
    if (table === null) throw new UnknownCollection(scope);
    return table;
  }

  #table(scope: Scope): Promise<LanceTable | null> {
    const name = tableName(scope);
    return this.#remember(name, () => this.#open(scope, name));
  }

  /** A missing table is asked for again next time; only what is there is remembered. */
  async #remember<Found extends LanceTable | null>(name: string, open: () => Promise<Found>) {
    if (this.#closing !== undefined) throw new StoreUnavailable('the vector store is closed');
    const known = this.#tables.get(name);
    if (known !== undefined) return known;
    const opening: Promise<LanceTable | null> = open();
    this.#tables.set(name, opening);
    const forget = () => this.#tables.get(name) === opening && this.#tables.delete(name);
    try {
      const table = await opening;
      if (table === null) forget();
      return table;
    } catch (error) {
      forget();
      throw translate(error);
    }
  }

  async #open(scope: Scope, name: string): Promise<LanceTable | null> {
    const names = await this.#connection.tableNames({ startAfter: name.slice(0, -1), limit: 50 });
    if (!names.includes(name)) return null;
    const table = await this.#openTable(name);
    if (table === null) return null;
    const indexed = (await table.listIndices()).some((index) => index.columns.includes('vector'));
    const model = modelOf(await table.schema());
    const opened = new LanceTable(table, { scope, model, indexed, limits: this.#limits, log: this.#log });
    await opened.prepareLexical();
    return opened;
  }

  /** Null for a folder without a first version: a process died while it made the table, and nobody stored in it. */
  async #openTable(name: string) {
    try {
      return await this.#connection.openTable(name);
    } catch (error) {
      if (String(error).includes('was not found')) return null;
      throw error;
    }
  }

  async #create(scope: Scope, model: VectorModel): Promise<LanceTable> {
    const name = tableName(scope);
    const created = await this.#remember(name, async () => {
      // existOk: two first ingests into a collection race for it, and both mean the same table.
      await this.#connection.createEmptyTable(name, tableSchema(model, scope), {
        mode: 'create',
        existOk: true,
      });
      return this.#open(scope, name);
    });
    if (created === null) throw new StoreUnavailable(`the table of ${scope.collection} vanished; try again`);
    return created;
  }

  async #translated<Result>(work: Promise<Result>): Promise<Result> {
    try {
      return await work;
    } catch (error) {
      throw translate(error);
    }
  }
}

/** What Lance throws is text from another language; whatever it is, it was not the caller's doing. */
function translate(error: unknown): VectorStoreError {
  if (error instanceof VectorStoreError) return error;
  return new StoreUnavailable(`LanceDB failed: ${error instanceof Error ? error.message : error}`, error);
}
