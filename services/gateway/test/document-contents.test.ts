import { rm } from 'node:fs/promises';
import { chunkPage, documentResponse, problem } from '@vortex/contracts';
import { QueueUnavailable } from '@vortex/queue';
import { describe, expect, it } from 'vitest';
import { completed, failed, gatewayUnderTest } from './gateway-under-test.ts';
import { acceptDocument, withDocument } from './with-document.ts';

const page = '<script>alert(1)</script><p>The pump needs oil.</p>';
const asHtml = { mediaType: 'text/html', filename: 'größe "1".html', externalId: 'page' };

describe('the original', () => {
  it('is handed over as a file that cannot run', async () => {
    const { app, documentId, publish } = await withDocument({ text: page, change: asHtml });
    expect((await app.request(`/api/documents/${documentId}/content`)).status, 'nothing visible yet').toBe(
      404,
    );
    await publish();
    const response = await app.request(`/api/documents/${documentId}/content`);
    expect(await response.text()).toBe(page);
    const { headers } = response;
    expect(headers.get('content-type')).toBe('text/html');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('content-security-policy')).toContain('sandbox');
    expect(headers.get('content-disposition')).toBe(
      `attachment; filename="gr__e _1_.html"; filename*=UTF-8''gr%C3%B6%C3%9Fe%20%221%22.html`,
    );
    const known = { headers: { 'If-None-Match': headers.get('etag') ?? '' } };
    expect((await app.request(`/api/documents/${documentId}/content`, known)).status).toBe(304);
  });

  it.each([
    ['bytes=0-3', 206, '0123', 'bytes 0-3/10'],
    ['bytes=7-', 206, '789', 'bytes 7-9/10'],
    ['Bytes=7-99999999999999999999', 206, '789', 'bytes 7-9/10'],
    ['bytes=7-99', 206, '789', 'bytes 7-9/10'],
    ['bytes=-2', 206, '89', 'bytes 8-9/10'],
    ['bytes=-99', 206, '0123456789', 'bytes 0-9/10'],
    ['bytes=5-3', 200, '0123456789', null],
    ['bytes=0-1,4-5', 200, '0123456789', null],
    ['lines=1-2', 200, '0123456789', null],
  ])('answers Range %s by %i', async (range, status, text, contentRange) => {
    const { app, documentId, publish } = await withDocument({ text: '0123456789' });
    await publish();
    const response = await app.request(`/api/documents/${documentId}/content`, { headers: { Range: range } });
    expect([response.status, await response.text(), response.headers.get('content-range')]).toEqual([
      status,
      text,
      contentRange,
    ]);
    const stale = { Range: range, 'If-Range': '"another"' };
    expect((await app.request(`/api/documents/${documentId}/content`, { headers: stale })).status).toBe(200);
  });

  it.each([
    ['content', 'bytes=10-'],
    ['content', 'bytes=99999999999999999999-'],
    ['content', 'bytes=-0'],
    ['text', 'bytes=10-20'],
  ])('says as a problem that /%s has no range %s', async (what, range) => {
    const { app, documentId, publish } = await withDocument({ text: '0123456789' });
    await publish();
    const response = await app.request(`/api/documents/${documentId}/${what}`, { headers: { Range: range } });
    expect(response.status).toBe(416);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(response.headers.get('content-range')).toMatch(/^bytes \*\/\d+$/);
    expect(problem.parse(await response.json())).toMatchObject({
      ...{ code: 'range_not_satisfiable', status: 416, retryable: false },
    });
  });

  it('that is missing on disk is 404 with advice', async () => {
    const { app, documentId, publish, folder } = await withDocument();
    await publish();
    await rm(`${folder}/originals`, { recursive: true });
    await rm(`${folder}/texts`, { recursive: true });
    for (const what of ['content', 'text']) {
      const response = await app.request(`/api/documents/${documentId}/${what}`);
      expect([response.status, await response.json()]).toMatchObject([
        404,
        { detail: expect.stringContaining('upload the document again') },
      ]);
    }
  });
});

describe('the chunks', () => {
  const chunk = (ordinal: number) => ({
    ...{ chunk_id: `chk_${ordinal}`, text: 'text', source_span: [0, 4], page: null, heading_path: ['H'] },
    ...{ context: 'H', ordinal, tokens: 3 },
  });

  it('are asked of the store’s owner, page by page', async () => {
    const { app, queue, registry, documentId } = await withDocument();
    await registry.publishVersion({
      ...{ tenant: 'default', documentId, version: 1, textHash: 't', chunks: 3, tokens: 9, result: {} },
    });
    queue.script = async ({ id, envelope }) => {
      const { from, limit } = envelope as { from: number; limit: number };
      const chunks = [0, 1, 2].slice(from, from + limit).map(chunk);
      return completed(id, { chunks });
    };
    const read = async (query: string) =>
      chunkPage.parse(await (await app.request(`/api/documents/${documentId}/chunks${query}`)).json());
    expect(await read('?limit=2')).toEqual({ chunks: [chunk(0), chunk(1)], next: '1' });
    expect(await read('?limit=2&after=1')).toEqual({ chunks: [chunk(2)], next: null });
    expect(await read('?after=2')).toEqual({ chunks: [], next: null });
    expect(queue.submitted).toHaveLength(2);
    expect(queue.submitted[0]).toMatchObject({
      list: 'job:retriever_chunks',
      envelope: { collection: 'notes', document_id: documentId, version: 1, from: 0, limit: 2 },
    });
    queue.script = async ({ id }) => failed(id, 'attempts_exhausted');
    expect((await app.request(`/api/documents/${documentId}/chunks`)).status).toBe(502);
    expect((await app.request(`/api/documents/${documentId}/chunks?limit=0`)).status).toBe(422);
    expect((await app.request('/api/documents/doc_x/chunks')).status).toBe(404);
  });
});

describe('deleting', () => {
  it('hides the document on reply and asks its open jobs to stop', async () => {
    const { app, queue, registry, documentId } = await withDocument();
    const response = await app.request(`/api/documents/${documentId}`, { method: 'DELETE' });
    expect([response.status, await response.json()]).toMatchObject([200, { id: documentId, deleted: true }]);
    expect(queue.cancelled).toEqual(['job_1']);
    expect(await registry.getDocument('default', documentId)).toBeNull();
    const again = await app.request(`/api/documents/${documentId}`, { method: 'DELETE' });
    expect(again.status).toBe(404);
  });

  it('needs no Redis: the job finds it noted', async () => {
    const { app, queue, registry, documentId } = await withDocument();
    queue.cancel = () => Promise.reject(new QueueUnavailable('redis is away'));
    expect((await app.request(`/api/documents/${documentId}`, { method: 'DELETE' })).status).toBe(200);
    expect(await registry.getJob('default', 'job_1')).toMatchObject({ cancelRequested: true });
  });

  it('takes all that fit every condition, or only says which', async () => {
    const gateway = await withDocument({ change: { metadata: { year: 2023 } } });
    const { post, registry, documentId } = gateway;
    const second = await acceptDocument(gateway, {
      jobId: 'job_2',
      change: { externalId: 'second', contentHash: 'b', metadata: { year: 2025 } },
    });
    const old = { collection: 'notes', filter: { field: 'year', op: 'lt', value: 2024 } };
    const ask = async (body: object) => (await post('/api/documents/delete', body)).json();
    expect(await ask({ ...old, dry_run: true })).toEqual({ deleted: 1, ids: [documentId], dry_run: true });
    expect(await registry.getDocument('default', documentId)).not.toBeNull();
    expect(await ask(old)).toEqual({ deleted: 1, ids: [documentId], dry_run: false });
    expect(await registry.getDocument('default', documentId)).toBeNull();
    expect(await ask({ ids: [second.documentId, 'doc_x'] })).toMatchObject({ deleted: 1 });
    expect((await post('/api/documents/delete', {})).status).toBe(422);
    expect((await post('/api/documents/delete', { dry_run: true })).status).toBe(422);
  });
});

describe('listing', () => {
  it('finds a part of a name, and shows every field of the contract', async () => {
    const gateway = await withDocument({ change: { filename: 'Pump Manual.pdf', title: 'Pumps' } });
    await acceptDocument(gateway, {
      jobId: 'job_2',
      change: { externalId: 'other', filename: 'x.txt', title: 'X' },
    });
    const list = async (query: string) => (await gateway.app.request(`/api/documents${query}`)).json();
    const { documents } = (await list('?q=manual')) as { documents: unknown[] };
    expect(documents).toHaveLength(1);
    expect(documentResponse.strict().parse(documents[0])).toMatchObject({
      ...{ id: gateway.documentId, filename: 'Pump Manual.pdf', state: 'pending', version: 0, pages: null },
    });
    expect(await list('?state=ready')).toEqual({ documents: [], next: null });
  });

  it('is empty of a collection that is not there', async () => {
    const { app } = await gatewayUnderTest();
    expect(await (await app.request('/api/documents?collection=nope')).json()).toEqual({
      documents: [],
      next: null,
    });
  });
});
