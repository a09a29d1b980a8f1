import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createLogger } from '@vortex/observability';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { document, seeded } from '../src/conformance.ts';
import { ModelMismatch, StoreRefused, StoreUnavailable, UnknownCollection } from '../src/errors.ts';
import { sparseOfChunk, sparseOfQuestion } from '../src/qdrant-sparse.ts';
import { openQdrantStore } from '../src/qdrant-store.ts';
import { rowId } from '../src/row-id.ts';
import type { VectorStore } from '../src/vector-store.ts';
import { openApiValidator } from './openapi-validator.ts';
import {
  olderCollection,
  type QdrantRecorder,
  type RecordedRequest,
  startQdrantRecorder,
} from './qdrant-recorder.ts';

// One piece: one recorder hears every request of the adapter, and is asked at the end.

const openApiFile =
  process.env.VORTEX_QDRANT_OPENAPI ??
  join(import.meta.dirname, '../../../../shared/qdrant/openapi-1.19.json');
const described = existsSync(openApiFile);
const whySkipped = `requests not held against Qdrant's OpenAPI document: none at ${openApiFile} (VORTEX_QDRANT_OPENAPI names another)`;
if (!described) console.info(`skipped: ${whySkipped}`);

const scope = { tenant: 'acme "north"', collection: 'handbook' };
const model = { dimension: 48, modelFingerprint: 'test-model@1' };
const log = createLogger({ service: 'test', level: 'silent' });
const tenantFilter = [
  { key: 'tenant', match: { value: scope.tenant } },
  { key: 'collection', match: { value: scope.collection } },
];

describe('what the Qdrant adapter asks', () => {
  let recorder: QdrantRecorder;
  let store: VectorStore;

  /** The catalog knows the collection; everything else answers as an empty Qdrant would. */
  const catalogued = (request: RecordedRequest) =>
    request.action === 'points' && request.method === 'POST' && request.collection.endsWith('-catalog')
      ? {
          result: [
            {
              id: (request.body.ids as string[])[0] ?? '',
              payload: { ...scope, dimension: 48, model_fingerprint: model.modelFingerprint },
            },
          ],
        }
      : undefined;

  beforeAll(async () => {
    recorder = await startQdrantRecorder(described ? openApiValidator(openApiFile) : null);
  });
  afterAll(() => recorder.close());
  beforeEach(() => {
    recorder.requests.length = 0;
    recorder.answer(catalogued);
    store = openQdrantStore({ url: recorder.url, apiKey: 'a-key', log });
  });

  const sent = (action: string) => recorder.requests.filter((request) => request.action === action);

  it('makes one Qdrant collection per model, with its indexes, and notes the collection in the catalog', async () => {
    recorder.answer(() => undefined);
    await store.ensureCollection(scope, model);
    const [rows] = sent('').filter(
      ({ method, collection }) => method === 'PUT' && !collection.endsWith('-catalog'),
    );
    expect(rows?.collection).toMatch(/^vortex-48-[0-9a-f]{16}$/);
    expect(rows?.body).toEqual({
      vectors: { dense: { size: 48, distance: 'Cosine' } },
      sparse_vectors: { lexical: { modifier: 'idf' } },
      hnsw_config: { payload_m: 16, m: 0 },
    });
    const indexes = sent('index').map(({ body, wait }) => ({ ...body, wait }));
    expect(indexes).toEqual([
      { field_name: 'tenant', field_schema: { type: 'keyword', is_tenant: true }, wait: 'true' },
      { field_name: 'collection', field_schema: { type: 'keyword' }, wait: 'true' },
      { field_name: 'document_id', field_schema: { type: 'keyword' }, wait: 'true' },
      { field_name: 'version', field_schema: { type: 'integer' }, wait: 'true' },
    ]);
    const [entry] = sent('points').filter((request) => request.method === 'PUT');
    expect(entry?.collection).toBe('vortex-catalog');
    expect(entry?.body.points).toMatchObject([{ payload: { ...scope, dimension: 48 } }]);

    // The second collection of the same model shares it.
    const before = recorder.requests.length;
    await store.ensureCollection({ ...scope, collection: 'other' }, model);
    const after = recorder.requests.slice(before).map(({ method, action }) => `${method} ${action}`);
    expect(after).toEqual(['POST points', 'PUT points']);
  });

  it('carries on when another process made the collection at the same moment', async () => {
    let asked = 0;
    recorder.answer(({ method, action }) => {
      if (method === 'PUT' && action === '') return { status: 409, error: 'Collection already exists!' };
      if (action !== 'exists') return undefined;
      asked += 1;
      return { result: { exists: asked % 2 === 0 } };
    });
    await store.ensureCollection(scope, model);
    expect(sent('index')).toHaveLength(4);
  });

  it('refuses a collection that was made without words, and says what to do', async () => {
    recorder.answer((request) =>
      request.method === 'GET' && request.action === '' ? { result: olderCollection } : catalogued(request),
    );
    const ensured = store.ensureCollection(scope, model);
    await expect(ensured).rejects.toThrow(StoreRefused);
    await expect(ensured).rejects.toThrow(/delete it there and ingest/);
  });

  it('sends the key, and deterministic ids, and waits for writes', async () => {
    const rows = document('doc-a', 1, 2);
    await store.upsert(scope, rows);
    const [request] = sent('points').filter(({ method }) => method === 'PUT');
    expect(request?.wait).toBe('true');
    expect(request?.apiKey).toBe('a-key');
    const points = request?.body.points as {
      id: string;
      vector: { dense: number[]; lexical: object };
      payload: object;
    }[];
    expect(points.map((point) => point.id)).toEqual(rows.map((row) => rowId(scope, row)));
    expect(points[0]?.vector.dense).toEqual([...(rows[0]?.vector ?? [])]);
    const { vector: _, ...chunk } = rows[0] ?? expect.fail();
    expect(points[0]?.vector.lexical).toEqual(sparseOfChunk(chunk));
    expect(points[0]?.payload).toEqual({ ...scope, ...chunk });
  });

  it('splits large groups into requests of bounded size', async () => {
    await store.upsert(scope, document('doc-a', 1, 300));
    const long = document('doc-b', 1, 4).map((row) => ({ ...row, text: 'x'.repeat(400_000) }));
    await store.upsert(scope, long);
    const sizes = sent('points')
      .filter(({ method }) => method === 'PUT')
      .map(({ body }) => (body.points as unknown[]).length);
    expect(sizes).toEqual([128, 128, 44, 1, 1, 1, 1]);
  });

  it('filters every search by tenant and collection, and excludes versions inside it', async () => {
    const excluded = [
      { document_id: 'doc-a', version: 1 },
      { document_id: 'doc-b', version: 1 },
      { document_id: 'doc-a', version: 2 },
    ];
    const vector = seeded(1);
    const { vector: _, ...chunk } = document('doc-c', 1, 1)[0] ?? expect.fail();
    const id = rowId(scope, chunk);
    recorder.answer((request) =>
      request.action === 'points/query'
        ? { result: { points: [{ id, version: 3, score: 0.75, payload: { ...scope, ...chunk } }] } }
        : catalogued(request),
    );
    const hits = await store.search(scope, { vector, limit: 7, excluded });
    expect(hits).toEqual([{ chunk: { ...chunk, id }, score: 0.75 }]);
    expect(sent('points/query')[0]?.body).toEqual({
      query: [...vector],
      using: 'dense',
      limit: 7,
      with_payload: true,
      with_vector: false,
      filter: {
        must: tenantFilter,
        must_not: [
          {
            must: [
              { key: 'version', match: { value: 1 } },
              { key: 'document_id', match: { any: ['doc-a', 'doc-b'] } },
            ],
          },
          {
            must: [
              { key: 'version', match: { value: 2 } },
              { key: 'document_id', match: { any: ['doc-a'] } },
            ],
          },
        ],
      },
    });
  });

  it('asks for words as a sparse vector, with the same filter, and orders equal scores by id', async () => {
    const found = ['c', 'a', 'b'].map((letter, index) => ({
      id: rowId(scope, { document_id: letter, version: 1, ordinal: 0 }),
      version: 0,
      score: index === 0 ? 3 : 2,
      payload: { document_id: letter, version: 1 },
    }));
    recorder.answer((request) =>
      request.action === 'points/query' ? { result: { points: found } } : catalogued(request),
    );
    const filter = {
      included: [{ document_id: 'doc-a', version: 2 }],
      excluded: [{ document_id: 'doc-b', version: 1 }],
    };
    const ranked = await store.rankText(scope, { text: 'the pumps', limit: 9, ...filter });
    expect(ranked.map(({ score }) => score)).toEqual([3, 2, 2]);
    expect(ranked[0]).toEqual({ id: found[0]?.id, document_id: 'c', version: 1, score: 3 });
    const ids = ranked.map(({ id }) => id);
    expect(ids.slice(1)).toEqual([...ids.slice(1)].sort());
    expect(sent('points/query')[0]?.body).toEqual({
      query: sparseOfQuestion('pump'),
      using: 'lexical',
      limit: 9,
      with_payload: ['document_id', 'version'],
      with_vector: false,
      filter: {
        must: [
          ...tenantFilter,
          {
            should: [
              {
                must: [
                  { key: 'version', match: { value: 2 } },
                  { key: 'document_id', match: { any: ['doc-a'] } },
                ],
              },
            ],
          },
        ],
        must_not: [
          {
            must: [
              { key: 'version', match: { value: 1 } },
              { key: 'document_id', match: { any: ['doc-b'] } },
            ],
          },
        ],
      },
    });
  });

  it('does not ask what has no answer: a question without words, or no version to look in', async () => {
    expect(await store.rankText(scope, { text: 'what is it?', limit: 3 })).toEqual([]);
    expect(await store.rankText(scope, { text: 'pump', limit: 3, included: [] })).toEqual([]);
    expect(await store.rank(scope, { vector: seeded(1), limit: 3, included: [] })).toEqual([]);
    expect(await store.cosines(scope, seeded(1), [])).toEqual(new Map());
    expect(sent('points/query')).toEqual([]);
  });

  it('lets Qdrant compute the cosine of named rows, exactly', async () => {
    const id = rowId(scope, { document_id: 'doc-a', version: 1, ordinal: 0 });
    recorder.answer((request) =>
      request.action === 'points/query'
        ? { result: { points: [{ id, version: 0, score: 0.25 }] } }
        : catalogued(request),
    );
    expect(await store.cosines(scope, seeded(1), [id, id])).toEqual(new Map([[id, 0.25]]));
    expect(sent('points/query')[0]?.body).toMatchObject({
      using: 'dense',
      limit: 1,
      params: { exact: true },
      filter: { must: [...tenantFilter, { has_id: [id] }] },
    });
  });

  it('counts the rows that have words as points that have the sparse vector', async () => {
    recorder.answer((request) =>
      request.action === 'points/count' ? { result: { count: 7 } } : catalogued(request),
    );
    expect(await store.lexicalCount(scope)).toBe(7);
    expect(sent('points/count')[0]?.body).toEqual({
      filter: { must: [...tenantFilter, { has_vector: 'lexical' }] },
      exact: true,
    });
  });

  it('puts tenant and collection into every request that touches rows', async () => {
    await store.search(scope, { vector: seeded(1), limit: 1 });
    await store.rank(scope, { vector: seeded(1), limit: 1 });
    await store.rankText(scope, { text: 'pump', limit: 1 });
    await store.cosines(scope, seeded(1), [rowId(scope, { document_id: 'a', version: 1, ordinal: 0 })]);
    await store.lexicalCount(scope);
    await store.count(scope);
    await store.listVersions(scope);
    for await (const _ of store.scan(scope));
    await store.deleteDocument(scope, "it's");
    await store.deleteVersions(scope, [{ document_id: 'doc-a', version: 4 }]);
    await store.dropCollection(scope);
    const onRows = recorder.requests.filter(
      ({ collection, action }) => !collection.endsWith('-catalog') && action.startsWith('points'),
    );
    expect(onRows).toHaveLength(11);
    for (const { body } of onRows) {
      expect((body.filter as { must: unknown[] }).must.slice(0, 2)).toEqual(tenantFilter);
    }
    const deletes = sent('points/delete');
    expect(deletes.every((request) => request.wait === 'true')).toBe(true);
    expect(deletes.at(-1)).toMatchObject({
      collection: 'vortex-catalog',
      body: { points: [expect.any(String)] },
    });
  });

  it('reads all pages of a scan, and the vectors with them', async () => {
    const rows = document('doc-a', 2, 3);
    recorder.answer((request) => {
      if (request.action !== 'points/scroll') return catalogued(request);
      const page = request.body.offset === undefined ? rows.slice(0, 2) : rows.slice(2);
      const points = page.map(({ vector, ...chunk }) => ({
        id: rowId(scope, chunk),
        payload: { ...scope, ...chunk },
        ...(request.body.with_vector !== false && { vector: { dense: [...vector] } }),
      }));
      const next = request.body.offset === undefined ? rowId(scope, rows[2] ?? expect.fail()) : null;
      return { result: { points, next_page_offset: next } };
    });
    const scanned = [];
    for await (const batch of store.scan(scope)) scanned.push(...batch);
    expect(scanned).toEqual(rows.map((row) => ({ ...row, id: rowId(scope, row) })));
    expect(await store.listVersions(scope)).toEqual([{ document_id: 'doc-a', version: 2, rows: 3 }]);
  });

  it('reads the collections of all tenants from the catalog, page by page; none while there is no catalog', async () => {
    recorder.answer((request) => {
      if (request.action !== 'points/scroll') return catalogued(request);
      const last = request.body.offset !== undefined;
      const payload = { ...scope, collection: last ? 'second' : 'first' };
      const id = rowId(scope, { document_id: payload.collection, version: 1, ordinal: 0 });
      return { result: { points: [{ id, payload }], next_page_offset: last ? null : id } };
    });
    expect(await store.listScopes()).toEqual([
      { ...scope, collection: 'first' },
      { ...scope, collection: 'second' },
    ]);
    expect(sent('points/scroll').map(({ collection }) => collection)).toEqual(
      Array(2).fill('vortex-catalog'),
    );
    recorder.answer(() => ({ status: 404, error: 'Not found' }));
    expect(await store.listScopes()).toEqual([]);
  });

  it('does not hand out a chunk of another tenant, whoever names its id', async () => {
    const { vector: _, ...chunk } = document('doc-a', 1, 1)[0] ?? expect.fail();
    recorder.answer(
      (request) =>
        catalogued(request) ?? {
          result: [{ id: rowId(scope, chunk), payload: { ...scope, tenant: 'other', ...chunk } }],
        },
    );
    expect(await store.fetch(scope, [rowId(scope, chunk)])).toEqual([]);
  });

  it('says what kind of failure it met', async () => {
    const failing = (status: number) =>
      recorder.answer((request) =>
        request.action === 'points/query' ? { status, error: 'no' } : catalogued(request),
      );
    const search = () => store.search(scope, { vector: seeded(1), limit: 1 });
    for (const status of [500, 503, 429, 408]) {
      failing(status);
      await expect(search()).rejects.toMatchObject({ name: 'StoreUnavailable', mayRetry: true });
    }
    failing(400);
    await expect(search()).rejects.toMatchObject({ name: 'StoreRefused', mayRetry: false });
    failing(403);
    await expect(search()).rejects.toThrow(/QDRANT_API_KEY/);
    recorder.answer(() => ({ status: 404, error: "Not found: Collection `vortex-catalog` doesn't exist!" }));
    const fresh = openQdrantStore({ url: recorder.url, log });
    await expect(fresh.search(scope, { vector: seeded(1), limit: 1 })).rejects.toThrow(UnknownCollection);
    recorder.answer(catalogued);
    const other = { ...model, modelFingerprint: 'test-model@2' };
    await expect(fresh.ensureCollection(scope, other)).rejects.toThrow(ModelMismatch);
  });

  it('is unhealthy while nothing answers, and refuses to work when closed', async () => {
    expect(await store.health()).toEqual({ ok: true, detail: `Qdrant at ${recorder.url}` });
    recorder.answer(() => ({ status: 401, error: 'Must provide an API key' }));
    expect((await store.health()).detail).toMatch(/QDRANT_API_KEY/);
    const nowhere = openQdrantStore({ url: 'http://127.0.0.1:1', log });
    expect(await nowhere.health()).toMatchObject({ ok: false });
    await expect(nowhere.count(scope)).rejects.toThrow(StoreUnavailable);
    await store.close();
    await expect(store.count(scope)).rejects.toThrow(StoreUnavailable);
    expect(() => openQdrantStore({ url: 'localhost:6333', log })).toThrow(StoreRefused);
  });

  it("asked for nothing that Qdrant's own OpenAPI document does not describe", (test) => {
    test.skip(!described, whySkipped);
    expect(recorder.violations).toEqual([]);
  });
});

describe('the validator', () => {
  it('finds the mistakes it is there for', (test) => {
    test.skip(!described, whySkipped);
    const validator = openApiValidator(openApiFile);
    const problem = (method: string, path: string, body?: unknown) =>
      validator.request({ method, url: new URL(path, 'http://recorder'), body });
    const points = [
      { id: rowId(scope, { document_id: 'a', version: 1, ordinal: 0 }), vector: { dense: [1] } },
    ];
    expect(problem('PUT', '/collections/a/points?wait=true', { points })).toBeNull();
    expect(problem('PUT', '/collections/a/points?await=true', { points })).toMatch('await');
    expect(problem('PUT', '/collections/a/points?wait=2', { points })).toMatch('wait');
    expect(
      problem('PUT', '/collections/a/points', { points: [{ ...points[0], id: 'doc-1' }] }),
    ).not.toBeNull();
    expect(problem('PUT', '/collections/a/points', { points, wait: true })).not.toBeNull();
    expect(problem('POST', '/collections/a/points/query', { limit: 0 })).toMatch('limit');
    expect(problem('POST', '/collections/a/points/query', { with_vectors: true })).not.toBeNull();
    expect(
      problem('POST', '/collections/a/points/query', { filter: { must: [{ match: 1 }] } }),
    ).not.toBeNull();
    expect(problem('POST', '/collections/a/points/ask', {})).toMatch('not in the document');
    expect(problem('GET', '/collections/a/exists', {})).toMatch('no body');
  });
});
