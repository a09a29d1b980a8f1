import { createHash } from 'node:crypto';
import {
  RecordBatch as ArrowBatch,
  DataType,
  Field,
  FixedSizeList,
  Float32,
  Int32,
  makeData,
  type RecordBatch,
  Schema,
  Struct,
  Table,
  Utf8,
  vectorFromArray,
} from 'apache-arrow';
import { StoreRefused } from './errors.ts';
import { lexicalTerms, searchedText } from './lexical-terms.ts';
import type {
  DocumentVersion,
  RowFilter,
  Scope,
  StoredChunk,
  StoredRow,
  VectorModel,
} from './vector-store.ts';

/**
 * How chunks lie in a LanceDB table: one column per field, so that a search reads only what it returns.
 * `heading_path` is JSON text: a list column costs 14 more lines here and nobody filters by it. `terms` are the
 * words that BM25 counts, with spaces between: LanceDB's index cuts at those and does nothing else.
 */
const modelKey = 'vortex.model';
/** Tenant and collection as JSON: the table's name tells them only by their digest. */
const scopeKey = 'vortex.scope';

const columns: readonly [keyof StoredChunk | 'span_start' | 'span_end', DataType, boolean][] = [
  ['id', new Utf8(), false],
  ['document_id', new Utf8(), false],
  ['version', new Int32(), false],
  ['ordinal', new Int32(), false],
  ['chunk_id', new Utf8(), false],
  ['title', new Utf8(), false],
  ['heading_path', new Utf8(), false],
  ['page', new Int32(), true],
  ['span_start', new Int32(), false],
  ['span_end', new Int32(), false],
  ['text', new Utf8(), false],
  ['context', new Utf8(), false],
  ['tokens', new Int32(), false],
];

/** Null in rows that were written before there was a search by words, until the table is opened the next time. */
export const termsColumn = 'terms';

/** Every column of a chunk: not its terms, nor the vector, which is 1.5 kB a row and no search result needs it. */
export const chunkColumns: string[] = columns.map(([name]) => name);

/**
 * A folder name per scope: readable, safe on every file system (also those that fold case), and its own
 * for every scope by the hash, which covers both names with JSON's quotes as the border.
 */
export function tableName(scope: Scope): string {
  const digest = createHash('sha256')
    .update(JSON.stringify([scope.tenant, scope.collection]))
    .digest('hex');
  const readable = `${scope.tenant}.${scope.collection}`.toLowerCase().replace(/[^a-z0-9.-]/g, '-');
  return `c-${readable.slice(0, 80)}-${digest.slice(0, 32)}`;
}

export function tableSchema(model: VectorModel, scope?: Scope): Schema {
  return new Schema(
    [
      ...columns.map(([name, type, nullable]) => new Field(name, type, nullable)),
      new Field(termsColumn, new Utf8(), true),
      new Field('vector', vectorType(model.dimension), false),
    ],
    new Map([
      [modelKey, model.modelFingerprint],
      ...(scope === undefined ? [] : [[scopeKey, JSON.stringify([scope.tenant, scope.collection])] as const]),
    ]),
  );
}

/** Null for a table that is not one of ours, or was made when the scope was not yet noted and had an unusual name. */
export function scopeOf(name: string, schema: Schema): Scope | null {
  const noted = schema.metadata.get(scopeKey);
  const candidates: [string, string][] = noted === undefined ? readings(name) : [JSON.parse(noted)];
  const scopes = candidates.map(([tenant, collection]) => ({ tenant, collection }));
  return scopes.find((scope) => tableName(scope) === name) ?? null;
}

/** The readable part of a table's name, split at each dot: where both parts are plain, the digest proves one right. */
function readings(name: string): [string, string][] {
  const readable = name.slice('c-'.length, -'-'.length - 32);
  const dots = [...readable.matchAll(/\./g)].map((dot) => dot.index);
  return dots.map((at) => [readable.slice(0, at), readable.slice(at + 1)]);
}

/** The model a table was made for. @throws StoreRefused when the table is not one of ours. */
export function modelOf(schema: Schema): VectorModel {
  const modelFingerprint = schema.metadata.get(modelKey);
  // Asked by type id: LanceDB's schema comes from the CommonJS copy of Arrow, whose classes are not ours.
  const type = schema.fields.find((field) => field.name === 'vector')?.type;
  if (modelFingerprint === undefined || !DataType.isFixedSizeList(type)) {
    throw new StoreRefused('a table in the store folder was not written by Vortex: move it away');
  }
  return { dimension: type.listSize, modelFingerprint };
}

export function toTable(model: VectorModel, rows: readonly StoredRow[]): Table {
  const schema = tableSchema(model);
  const length = rows.length;
  const values = new Float32Array(length * model.dimension);
  rows.forEach((row, index) => {
    values.set(row.vector, index * model.dimension);
  });
  const flat = rows.map((row) => ({
    ...row,
    heading_path: JSON.stringify(row.heading_path),
    span_start: row.source_span[0],
    span_end: row.source_span[1],
  }));
  const children = columns.map(([name, type]) =>
    columnOf(
      flat.map((row) => row[name]),
      type,
    ),
  );
  children.push(
    columnOf(
      rows.map((row) => lexicalTerms(searchedText(row)).join(' ')),
      new Utf8(),
    ),
  );
  const item = makeData({ type: new Float32(), length: values.length, data: values, nullCount: 0 });
  children.push(makeData({ type: vectorType(model.dimension), length, child: item, nullCount: 0 }));
  const struct = makeData({ type: new Struct(schema.fields), length, children, nullCount: 0 });
  return new Table(schema, [new ArrowBatch(schema, struct)]);
}

function columnOf(values: readonly unknown[], type: DataType) {
  const [data] = vectorFromArray(values, type).data;
  if (data === undefined) throw new RangeError('a batch of no rows has no columns');
  return data;
}

export function chunksOf(batch: RecordBatch | Table): StoredChunk[] {
  // A result without rows comes without batches, and then without columns.
  if (batch.numRows === 0) return [];
  const column = (name: string) => {
    const vector = batch.getChild(name);
    if (vector === null) throw new StoreRefused(`the store's table lacks the column ${name}`);
    return vector;
  };
  const [id, documentId, version, ordinal, chunkId, title] = [
    column('id'),
    column('document_id'),
    column('version'),
    column('ordinal'),
    column('chunk_id'),
    column('title'),
  ];
  const [headings, page, start, end] = [
    column('heading_path'),
    column('page'),
    column('span_start'),
    column('span_end'),
  ];
  const [text, context, tokens] = [column('text'), column('context'), column('tokens')];
  return Array.from({ length: batch.numRows }, (_, row) => ({
    id: id.get(row),
    document_id: documentId.get(row),
    version: version.get(row),
    ordinal: ordinal.get(row),
    chunk_id: chunkId.get(row),
    title: title.get(row),
    heading_path: JSON.parse(headings.get(row)),
    page: page.get(row),
    source_span: [start.get(row), end.get(row)],
    text: text.get(row),
    context: context.get(row),
    tokens: tokens.get(row),
  }));
}

/** The vectors of a batch, each a copy: the batch's memory is one piece and would be kept by any of them. */
export function vectorsOf(batch: RecordBatch, dimension: number): Float32Array[] {
  const list = batch.getChild('vector')?.data[0];
  const values: unknown = list?.children[0]?.values;
  if (list === undefined || !(values instanceof Float32Array)) {
    throw new StoreRefused("the store's table has no float32 vectors");
  }
  return Array.from({ length: batch.numRows }, (_, row) => {
    const at = (list.offset + row) * dimension;
    return values.slice(at, at + dimension);
  });
}

/** A string in LanceDB's SQL: quotes doubled, everything else (backslashes too) stands for itself. */
export function sqlText(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}

export function sqlList(values: readonly string[]): string {
  return values.map(sqlText).join(', ');
}

/**
 * A condition true for rows of these versions. One IN list per version number keeps it flat: the SQL
 * parser descends once per OR, and a few thousand of them are too deep for it.
 */
export function sqlVersions(versions: readonly DocumentVersion[]): string {
  const byNumber = new Map<number, Set<string>>();
  for (const { document_id, version } of versions) {
    const documents = byNumber.get(version) ?? new Set<string>();
    byNumber.set(version, documents.add(document_id));
  }
  return [...byNumber]
    .map(([version, documents]) => `(version = ${version} AND document_id IN (${sqlList([...documents])}))`)
    .join(' OR ');
}

/** A condition true for rows that may be returned; undefined when all may. */
export function sqlFilter({ included, excluded }: RowFilter): string | undefined {
  const conditions: string[] = [];
  if (included !== undefined) conditions.push(included.length === 0 ? 'false' : `(${sqlVersions(included)})`);
  if (excluded !== undefined && excluded.length > 0) conditions.push(`NOT (${sqlVersions(excluded)})`);
  return conditions.length === 0 ? undefined : conditions.join(' AND ');
}

function vectorType(dimension: number): FixedSizeList {
  return new FixedSizeList(dimension, new Field('item', new Float32(), true));
}
