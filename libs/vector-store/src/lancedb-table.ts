import { Index, type Table as LanceDbTable, MatchQuery } from '@lancedb/lancedb';
import type { Logger } from '@vortex/observability';
import type { RecordBatch, Table } from 'apache-arrow';
import { isBetter } from './best-rows.ts';
import { checkLimit, checkQuery, checkQuestion, checkRows } from './check-rows.ts';
import { cosine } from './cosine.ts';
import { StoreUnavailable } from './errors.ts';
import {
  chunkColumns,
  chunksOf,
  sqlFilter,
  sqlList,
  sqlText,
  sqlVersions,
  termsColumn,
  toTable,
  vectorsOf,
} from './lancedb-rows.ts';
import { lexicalTerms } from './lexical-terms.ts';
import { versionKey } from './row-id.ts';
import { SerialQueue } from './serial-queue.ts';
import { needsBuild, type UpkeepLimits, upkeepDelayMs } from './upkeep-plan.ts';
import type {
  ChunkRow,
  DocumentVersion,
  RankedRow,
  Scope,
  StoredChunk,
  StoredRow,
  StoredVersion,
  StoreHit,
  TextQuery,
  VectorModel,
  VectorQuery,
} from './vector-store.ts';

const indexName = 'vector_idx';
const lexicalIndexName = 'terms_idx';
const rankColumns = ['id', 'document_id', 'version'];
/** 500 quoted ids are 20 kB of SQL. */
const idsPerStatement = 500;

/**
 * One collection's table. Writes and upkeep go one after the other through a queue of its own; searches
 * run beside them on the version that was current when they began.
 *
 * Upkeep, after writes have settled or piled up: compaction (every write adds a file; a project we read
 * had 73,669 of them for 40,000 vectors), removal of old versions, new rows into the index, and a build
 * of the index when it is due (upkeep-plan.ts). Rounds of upkeep follow one another. Within one, tidying
 * takes its turn among the writes; the build runs beside them, for it may take a minute, and rows written
 * meanwhile are scanned until the next round takes them into the index.
 *
 * One piece, because writes, upkeep and close share the two queues and the marks of what has been written since.
 */
export class LanceTable {
  readonly scope: Scope;
  readonly model: VectorModel;
  readonly #table: LanceDbTable;
  readonly #limits: UpkeepLimits;
  readonly #log: Logger;
  readonly #writes = new SerialQueue();
  readonly #upkeeps = new SerialQueue();
  #commits = 0;
  #tidyAgain = false;
  #scans = 0;
  #indexed: boolean;
  #rowsAtBuild: number | null = null;
  #timer: NodeJS.Timeout | undefined;
  #upkeepWaiting = false;
  #writing: Promise<unknown> | undefined;
  #closed = false;

  constructor(
    table: LanceDbTable,
    about: { scope: Scope; model: VectorModel; indexed: boolean; limits: UpkeepLimits; log: Logger },
  ) {
    this.#table = table;
    this.scope = about.scope;
    this.model = about.model;
    this.#indexed = about.indexed;
    this.#limits = about.limits;
    this.#log = about.log;
    // A process that died left its last writes untidied.
    this.#commits = 1;
    this.#scheduleUpkeep();
  }

  async upsert(rows: readonly ChunkRow[]): Promise<void> {
    const checked = checkRows(this.scope, this.model, rows);
    if (checked.length === 0) return;
    await this.#write(() => this.#merge(checked));
  }

  /** One commit: a reader sees the whole group or nothing of it, and a crash leaves no half. */
  async #merge(rows: readonly StoredRow[]): Promise<void> {
    await this.#table
      .mergeInsert('id')
      .whenMatchedUpdateAll()
      .whenNotMatchedInsertAll()
      .execute(toTable(this.model, rows));
  }

  #rowsOf(batch: RecordBatch): StoredRow[] {
    const vectors = vectorsOf(batch, this.model.dimension);
    return chunksOf(batch).map((chunk, row) => ({ ...chunk, vector: vectors[row] ?? new Float32Array() }));
  }

  async deleteVersions(versions: readonly DocumentVersion[]): Promise<void> {
    for (let from = 0; from < versions.length; from += idsPerStatement) {
      const some = sqlVersions(versions.slice(from, from + idsPerStatement));
      await this.#write(() => this.#table.delete(some));
    }
  }

  async deleteDocument(documentId: string): Promise<void> {
    await this.#write(() => this.#table.delete(`document_id = ${sqlText(documentId)}`));
  }

  async search(query: VectorQuery): Promise<StoreHit[]> {
    const found = await this.#nearest(query, chunkColumns);
    const distance = found.getChild('_distance');
    return chunksOf(found).map((chunk, row) => ({ chunk, score: 1 - Number(distance?.get(row)) }));
  }

  async rank(query: VectorQuery): Promise<RankedRow[]> {
    return rankedRows(await this.#nearest(query, rankColumns), '_distance', (distance) => 1 - distance);
  }

  async #nearest(query: VectorQuery, shown: readonly string[]) {
    checkQuery(this.model, query);
    let search = this.#table
      .query()
      .nearestTo(query.vector)
      .column('vector')
      .distanceType('cosine')
      .select([...shown, '_distance'])
      .limit(query.limit);
    const filter = sqlFilter(query);
    if (filter !== undefined) search = search.where(filter);
    if (this.#indexed) {
      // Refining reads the true vectors of twice as many candidates: without it the quantised index
      // reports distances twice too large (1.27 for 0.63) and finds 0.99 of the best five instead of all.
      search = search.ef(Math.max(64, 4 * query.limit)).refineFactor(2);
    }
    return search.toArrow();
  }

  async rankText(query: TextQuery): Promise<RankedRow[]> {
    checkLimit(query);
    const terms = lexicalTerms(query.text);
    if (terms.length === 0) return [];
    // Rows that no round of upkeep has taken into the index yet are found by looking at their terms.
    let search = this.#table
      .query()
      .fullTextSearch(new MatchQuery(terms.join(' '), termsColumn))
      .select([...rankColumns, '_score'])
      .limit(query.limit);
    const filter = sqlFilter(query);
    if (filter !== undefined) search = search.where(filter);
    const rows = rankedRows(await search.toArrow(), '_score', (score) => score);
    return rows.sort((one, other) => (isBetter(one, other) ? -1 : 1));
  }

  async cosines(vector: Float32Array, ids: readonly string[]): Promise<Map<string, number>> {
    checkQuestion(this.model, vector);
    const found = new Map<string, number>();
    for (let from = 0; from < ids.length; from += idsPerStatement) {
      const some = `id IN (${sqlList(ids.slice(from, from + idsPerStatement))})`;
      for await (const batch of this.#table.query().where(some).select(['id', 'vector'])) {
        const stored = vectorsOf(batch, this.model.dimension);
        const names = batch.getChild('id');
        for (const [row, other] of stored.entries())
          found.set(String(names?.get(row)), cosine(vector, other));
      }
    }
    return found;
  }

  async fetch(ids: readonly string[]): Promise<StoredChunk[]> {
    const chunks: StoredChunk[] = [];
    for (let from = 0; from < ids.length; from += idsPerStatement) {
      const some = `id IN (${sqlList(ids.slice(from, from + idsPerStatement))})`;
      chunks.push(...chunksOf(await this.#table.query().where(some).select(chunkColumns).toArrow()));
    }
    return chunks;
  }

  async listVersions(): Promise<StoredVersion[]> {
    const versions = new Map<string, StoredVersion>();
    for await (const batch of this.#table.query().select(['document_id', 'version'])) {
      const [documents, numbers] = [batch.getChild('document_id'), batch.getChild('version')];
      for (let row = 0; row < batch.numRows; row += 1) {
        const version = { document_id: String(documents?.get(row)), version: Number(numbers?.get(row)) };
        const known = versions.get(versionKey(version)) ?? { ...version, rows: 0 };
        known.rows += 1;
        versions.set(versionKey(version), known);
      }
    }
    return [...versions.values()];
  }

  count(): Promise<number> {
    return this.#table.countRows();
  }

  lexicalCount(): Promise<number> {
    return this.#table.countRows(`${termsColumn} IS NOT NULL`);
  }

  /** Before the first search: makes the words of the table searchable, also of one that is older than that search. */
  async prepareLexical(): Promise<void> {
    const schema = await this.#table.schema();
    if (!schema.fields.some((field) => field.name === termsColumn)) {
      await this.#table.addColumns([{ name: termsColumn, valueSql: 'CAST(NULL AS STRING)' }]);
    }
    await this.#fillTerms();
    const indexes = await this.#table.listIndices();
    if (!indexes.some((index) => index.name === lexicalIndexName)) await this.#buildLexical();
  }

  /** 4 s for 10,000 rows, once. A process that dies here leaves null terms, and the next one goes on. */
  async #fillTerms(): Promise<void> {
    for (;;) {
      const query = this.#table.query().where(`${termsColumn} IS NULL`).limit(idsPerStatement);
      const rows: StoredRow[] = [];
      for await (const batch of query.select([...chunkColumns, 'vector'])) rows.push(...this.#rowsOf(batch));
      if (rows.length === 0) return;
      await this.#merge(rows);
    }
  }

  async *scan(): AsyncIterable<StoredRow[]> {
    this.#scans += 1;
    try {
      for await (const batch of this.#table.query().select([...chunkColumns, 'vector'])) {
        yield this.#rowsOf(batch);
      }
    } finally {
      this.#scans -= 1;
    }
  }

  /** Tidies now, behind the writes already queued. */
  upkeep(): Promise<void> {
    return this.#upkeeps.run(async () => {
      const rowsToIndex = await this.#writes.run(() => this.#tidy());
      if (rowsToIndex !== null) await this.#build(rowsToIndex);
    });
  }

  /**
   * Waits for the write that has begun, but not for an index build (52 s at 100,000 rows): what is not
   * committed is not half made. The native table is left to the garbage collector, for closing one that a
   * search or a build still uses throws.
   */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#writing?.catch(() => undefined);
  }

  /**
   * Runs what destroys the table, after what has begun: an index build that ended later would make its
   * folder anew. Writes behind it are refused.
   */
  retire(destroy: () => Promise<void>): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    return this.#upkeeps.run(() => this.#writes.run(destroy));
  }

  #write(task: () => Promise<unknown>): Promise<void> {
    return this.#writes.run(async () => {
      // A write on a dropped table would make its folder anew.
      if (this.#closed) throw new StoreUnavailable('the collection was dropped, or the store closed');
      this.#writing = task();
      try {
        await this.#writing;
      } finally {
        this.#writing = undefined;
      }
      this.#commits += 1;
      this.#scheduleUpkeep();
    });
  }

  #scheduleUpkeep(): void {
    clearTimeout(this.#timer);
    if (this.#closed || this.#upkeepWaiting) return;
    const delayMs =
      this.#commits > 0 ? upkeepDelayMs(this.#commits, this.#limits) : this.#limits.keepVersionsMs + 1000;
    if (this.#commits === 0 && !this.#tidyAgain) return;
    this.#timer = setTimeout(() => {
      this.#upkeepWaiting = true;
      this.upkeep()
        .catch((error: unknown) => {
          // The rows are safe without it; searches are only slower until the next round succeeds.
          if (!this.#closed) this.#log.warn({ err: error, ...this.scope }, 'vector table upkeep failed');
        })
        .finally(() => {
          this.#upkeepWaiting = false;
          this.#scheduleUpkeep();
        });
    }, delayMs).unref();
  }

  /** The number of rows when the index is to be built now, else null. */
  async #tidy(): Promise<number | null> {
    if (this.#closed) return null;
    // Versions that this round supersedes are too young to go; a second round removes them.
    this.#tidyAgain = this.#commits > 0;
    this.#commits = 0;
    const rows = await this.#table.countRows();
    const index = (await this.#table.listIndices()).find((one) => one.name === indexName);
    const segments = index?.numSegments ?? 0;
    const build = needsBuild({ rows, segments, rowsAtBuild: this.#rowsAtBuild }, this.#limits);
    // A scan may read an old version for longer than any search.
    const olderThan = this.#scans > 0 ? 0 : Date.now() - this.#limits.keepVersionsMs;
    await this.#table.optimize({ cleanupOlderThan: new Date(olderThan) });
    return build ? rows : null;
  }

  /**
   * Once, on the empty table: upkeep takes new rows in and merges segments by itself. The table must not be without
   * it: LanceDB would cut the terms by rules of its own then.
   */
  async #buildLexical(): Promise<void> {
    const config = Index.fts({
      ...{ baseTokenizer: 'whitespace', maxTokenLength: 1000, withPosition: false },
      ...{ lowercase: false, stem: false, removeStopWords: false, asciiFolding: false },
    });
    await this.#table.createIndex(termsColumn, { config, name: lexicalIndexName, replace: true });
  }

  async #build(rows: number): Promise<void> {
    if (this.#closed) return;
    const started = performance.now();
    // Before, not after: a search may meet the index some milliseconds before this call hears of it, and
    // unrefined it would take true hits for strangers. On a table without an index the flag changes nothing.
    this.#indexed = true;
    await this.#table.createIndex('vector', {
      config: Index.hnswSq({ distanceType: 'cosine', numPartitions: 1 }),
      name: indexName,
      replace: true,
    });
    this.#rowsAtBuild = rows;
    this.#tidyAgain = true;
    const buildMs = Math.round(performance.now() - started);
    this.#log.info({ ...this.scope, rows, build_ms: buildMs }, 'vector index built');
  }
}

function rankedRows(found: Table, column: string, scoreOf: (value: number) => number): RankedRow[] {
  const [id, documentId, version] = rankColumns.map((name) => found.getChild(name));
  const value = found.getChild(column);
  return Array.from({ length: found.numRows }, (_, row) => ({
    id: String(id?.get(row)),
    document_id: String(documentId?.get(row)),
    version: Number(version?.get(row)),
    score: scoreOf(Number(value?.get(row))),
  }));
}
