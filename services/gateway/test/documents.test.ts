import { documentPage, ingestInput, ingestResponse, jobResponse } from '@vortex/contracts';
import { elementOf, QueueUnavailable } from '@vortex/queue';
import { describe, expect, it } from 'vitest';
import { gatewayUnderTest } from './gateway-under-test.ts';
import { acceptDocument, withDocument } from './with-document.ts';

const text = 'Zürich – naïve 🚀 text.\nSecond line.';

describe('documents', () => {
  it('gives the text byte for byte, once', async () => {
    const { app, documentId, publish } = await withDocument({ text });
    expect((await app.request(`/api/documents/${documentId}/text`)).status).toBe(404);
    await publish();
    const response = await app.request(`/api/documents/${documentId}/text`);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(await response.text()).toBe(text);
    const etag = response.headers.get('etag') ?? '';
    const known = { headers: { 'If-None-Match': `"other", W/${etag}` } };
    const again = await app.request(`/api/documents/${documentId}/text`, known);
    expect(again.status).toBe(304);
    expect(again.headers.get('etag')).toBe(etag);
    expect(await again.text()).toBe('');
  });

  it('lists documents and shows one, under our id and the caller’s', async () => {
    const { app, documentId, publish } = await withDocument({ text });
    await publish();
    const one = await (await app.request(`/api/documents/${documentId}`)).json();
    expect(one).toMatchObject({
      document_id: documentId,
      external_id: 'mine',
      collection: 'notes',
      state: 'ready',
      version: 1,
      metadata: { user_id: 'u' },
      last_error: null,
    });
    expect(documentId).toMatch(/^doc_/);
    const page = await app.request('/api/documents?collection=notes&limit=1');
    expect(await page.json()).toEqual({ documents: [one], next: null });
  });

  it('lists in pages, the last of which says so, also when a document is deleted between two of them', async () => {
    const gateway = await withDocument();
    const ids = [gateway.documentId];
    for (const name of ['second', 'third']) {
      const more = await acceptDocument(gateway, { jobId: `job_${name}`, change: { externalId: name } });
      ids.push(more.documentId);
    }
    const seen: string[] = [];
    let after = '';
    do {
      const response = await gateway.app.request(`/api/documents?limit=1${after}`);
      const { documents, next } = documentPage.parse(await response.json());
      seen.push(...documents.map(({ id }) => id));
      for (const { id } of documents) await gateway.app.request(`/api/documents/${id}`, { method: 'DELETE' });
      for (const { tenant, documentId, version } of await gateway.registry.staleVersions()) {
        await gateway.registry.forgetVersion(tenant, documentId, version);
      }
      after = next === null ? '' : `&after=${encodeURIComponent(next)}`;
    } while (after !== '');
    expect(seen.sort()).toEqual(ids.sort());
  });

  it.each(['?limit=0', '?limit=x', '?state=lost', '?colection=notes', '?after=doc_1', '?after='])(
    'refuses %s',
    async (query) => {
      const { app } = await gatewayUnderTest();
      const response = await app.request(`/api/documents${query}`);
      expect(response.status).toBe(422);
      expect(await response.json()).toMatchObject({ code: 'validation' });
    },
  );

  it.each(['/api/documents/doc_x', '/api/documents/doc_x/text', '/api/documents/..%2f..%2fetc/text'])(
    'knows nothing of %s',
    async (path) => {
      const { app } = await gatewayUnderTest();
      const response = await app.request(path);
      expect(response.status).toBe(404);
      expect(await response.json()).toMatchObject({ code: 'not_found' });
    },
  );

  it('lists collections with what is in them, and as models', async () => {
    const { app, publish } = await withDocument({ text });
    await publish();
    const { collections } = (await (await app.request('/api/collections')).json()) as {
      collections: object[];
    };
    expect(collections).toMatchObject([{ name: 'notes', documents: 1, chunks: 1, embedding_model: null }]);
    const models = (await (await app.request('/v1/models')).json()) as { data: { id: string }[] };
    expect(models.data.map(({ id }) => id)).toEqual(['rag', 'rag:notes']);
  });
});

describe('POST /ingest', () => {
  it('queues the document under the caller’s id', async () => {
    const { post, queue } = await gatewayUnderTest();
    const document = { user_id: 'u', document_id: 'd-1', content: text, collection: 'notes', title: 'T' };
    const response = await post('/ingest', document);
    expect(response.status).toBe(202);
    const { data, job_id } = ingestResponse.parse(await response.json());
    expect(data).toBe('d-1');
    expect(response.headers.get('location')).toBe(`/api/jobs/${job_id}`);
    const [job] = queue.submitted;
    expect(job).toMatchObject({
      list: 'ingestion_queue',
      lane: 'low',
      id: job_id,
      track: {
        type: 'ingest',
        payload: { user_id: 'u', document_id: 'd-1', collection: 'notes', title: 'T' },
        maxRetries: 4,
      },
    });
    const element = job === undefined ? '{}' : elementOf(job, undefined).toString();
    expect(ingestInput.parse(JSON.parse(element))).toMatchObject({
      id: job_id,
      v: 1,
      tenant: 'default',
      track: true,
      ...document,
    });
  });

  it('answers 503 when the queue does not take it', async () => {
    const { post, queue } = await gatewayUnderTest();
    queue.admit = async () => Promise.reject(new QueueUnavailable('redis is away'));
    const response = await post('/ingest', { user_id: 'u', document_id: 'd', content: 'c' });
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
  });
});

describe('GET /api/jobs/{id}', () => {
  it('shows the hash with numbers, times and results as they are', async () => {
    const { app, queue } = await gatewayUnderTest();
    queue.jobs.set('job_1', {
      id: 'job_1',
      type: 'ingest',
      status: 'completed',
      progress: '100',
      message: '',
      result: '{"document_id":"doc_1","chunk_count":3}',
      error: '',
      created_at: '2026-01-02T03:04:05.678Z',
      updated_at: '1767323045678',
    });
    const body = await (await app.request('/api/jobs/job_1')).json();
    // Strict: a field that the contract does not name would be missing from the client and from openapi.json.
    expect(jobResponse.strict().parse(body)).toEqual({
      id: 'job_1',
      type: 'ingest',
      status: 'completed',
      progress: 100,
      message: null,
      stage: null,
      eta_ms: null,
      payload: null,
      result: { document_id: 'doc_1', chunk_count: 3 },
      error: null,
      error_code: null,
      document_id: 'doc_1',
      retry_count: 0,
      max_retries: 0,
      created_at: '2026-01-02T03:04:05.678Z',
      updated_at: '2026-01-02T03:04:05.678Z',
      started_at: null,
      completed_at: null,
    });
  });

  it('knows nothing of a job that was forgotten', async () => {
    const { app } = await gatewayUnderTest();
    const response = await app.request('/api/jobs/job_x');
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ code: 'not_found' });
  });
});

describe('probes', () => {
  it('tells life, readiness and the overview apart', async () => {
    const { app, queue } = await gatewayUnderTest();
    expect(await (await app.request('/readyz')).json()).toEqual({ ready: true, reasons: [] });
    expect(await (await app.request('/health')).json()).toMatchObject({
      status: 'ok',
      version: '1.2.3',
      redis: { reachable: true },
      replicas: queue.states,
    });
    queue.ready = false;
    expect((await app.request('/healthz')).status).toBe(200);
    const response = await app.request('/readyz');
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({
      ready: false,
      reasons: [expect.stringContaining('redis')],
    });
    expect(await (await app.request('/health')).json()).toMatchObject({ status: 'unavailable' });
  });

  it('shows its metrics', async () => {
    const { app, post } = await gatewayUnderTest();
    await post('/query', { query: 'a' });
    await post('/query', { query: 'a', collection: 'nowhere' });
    const response = await app.request('/metrics');
    expect(response.headers.get('content-type')).toMatch(/^text\/plain/);
    const body = await response.text();
    expect(body).toMatch(/api_gateway_queries_total\{outcome="ok",mode="sync",service="gateway"\} 1/);
    expect(body).toMatch(/api_gateway_queries_total\{outcome="rejected",mode="sync",service="gateway"\} 1/);
    expect(body).toMatch(/api_gateway_query_latency_seconds_count\{.*outcome="ok".*\} 1/);
    expect(body).toMatch(/http_request_duration_seconds_count\{.*route="\/query".*status_class="4xx"\} 1/);
    expect(body).toMatch(/api_gateway_inflight_queries\{service="gateway"\} 0/);
  });
});
