import { collectionResponse } from '@vortex/contracts';
import { catalogueModel, defaultModel, fingerprintOf } from '@vortex/embedding';
import { QueueUnavailable } from '@vortex/queue';
import { describe, expect, it } from 'vitest';
import { createWhenFree } from '../src/create-when-free.ts';
import { gatewayUnderTest } from './gateway-under-test.ts';
import { withDocument } from './with-document.ts';

const model = catalogueModel(defaultModel);

async function asked() {
  const gateway = await gatewayUnderTest();
  const request = async (method: string, path: string, body?: object) => {
    const response = await gateway.app.request(path, {
      method,
      headers: { 'Content-Type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: await response.json(), headers: response.headers };
  };
  return { ...gateway, request };
}

describe('collections', () => {
  it('are made with settings of their own, shown, changed and deleted', async () => {
    const { request } = await asked();
    const settings = {
      relevance_floor: 0.3,
      chunk_size: 128,
      chunk_overlap: 16,
      chunking_strategy: 'sentence',
    };
    const made = await request('POST', '/api/collections', { name: 'plant', ...settings });
    expect(made.status).toBe(201);
    expect(made.headers.get('location')).toBe('/api/collections/plant');
    expect(collectionResponse.strict().parse(made.body)).toMatchObject({
      ...{ name: 'plant', ...settings, model: null, documents: 0 },
    });
    expect(await request('GET', '/api/collections/plant')).toMatchObject({ status: 200, body: made.body });
    expect(await request('POST', '/api/collections', { name: 'plant' })).toMatchObject({
      status: 409,
      body: { code: 'collection_exists' },
    });
    const changed = await request('PATCH', '/api/collections/plant', {
      chunk_size: null,
      relevance_floor: 0.5,
    });
    expect(changed).toMatchObject({
      status: 200,
      body: { chunk_size: null, relevance_floor: 0.5, chunk_overlap: 16, chunking_strategy: 'sentence' },
    });
    expect(await request('DELETE', '/api/collections/plant')).toMatchObject({
      status: 200,
      body: { name: 'plant', deleted: true, documents: 0 },
    });
    expect((await request('GET', '/api/collections/plant')).status).toBe(404);
  });

  it('are tied to the encoder’s model by its name or fingerprint, and to no other', async () => {
    const { request } = await asked();
    const fingerprint = fingerprintOf(model);
    const bound = { status: 201, body: { model: fingerprint, embedding_model: fingerprint, dimension: 384 } };
    expect(await request('POST', '/api/collections', { name: 'a', model: model.id })).toMatchObject(bound);
    expect(await request('POST', '/api/collections', { name: 'b', model: fingerprint })).toMatchObject(bound);
    for (const other of [{ model: 'bge-small-en-v1.5' }, { dimension: 768 }]) {
      const refused = await request('POST', '/api/collections', { name: 'c', ...other });
      expect(refused).toMatchObject({ status: 409, body: { code: 'embedding_mismatch' } });
      expect(refused.body).toMatchObject({
        detail: expect.stringMatching(/Either set embedding\.model .* or make/),
      });
    }
  });

  it('that are deleted take their documents out of every search, and stop their jobs', async () => {
    const { app, queue, registry, documentId } = await withDocument();
    const response = await app.request('/api/collections/notes', { method: 'DELETE' });
    expect([response.status, await response.json()]).toMatchObject([200, { documents: 1 }]);
    expect(queue.cancelled).toEqual(['job_1']);
    expect(await registry.getDocument('default', documentId)).toBeNull();
  });

  it('are deleted without Redis too, where the jobs find it noted', async () => {
    const { app, queue, registry } = await withDocument();
    queue.cancel = () => Promise.reject(new QueueUnavailable('redis is away'));
    expect((await app.request('/api/collections/notes', { method: 'DELETE' })).status).toBe(200);
    expect(await registry.getJob('default', 'job_1')).toMatchObject({ cancelRequested: true });
  });

  it('are made anew once the deleted one’s rows are gone, whoever asks for it before', async () => {
    const { request, registry } = await asked();
    await request('POST', '/api/collections', { name: 'plant', chunk_size: 128 });
    await request('DELETE', '/api/collections/plant');
    const again = request('POST', '/api/collections', { name: 'plant' });
    // What the retriever does when it has purged the rows.
    await registry.forgetCollection('default', 'plant');
    expect(await again).toMatchObject({ status: 201, body: { name: 'plant', chunk_size: null } });
  });

  it('are waited for as long as it is worth, and not for a client that has left', async () => {
    const { request, registry } = await asked();
    await request('POST', '/api/collections', { name: 'plant' });
    const plant = { tenant: 'default', name: 'plant' };
    const { signal } = new AbortController();
    expect(await createWhenFree(registry, plant, { signal })).toBe('exists');
    await request('DELETE', '/api/collections/plant');
    expect(await createWhenFree(registry, plant, { signal, waitMs: 20, pollMs: 5 })).toBe('deleting');
    expect(await createWhenFree(registry, plant, { signal: AbortSignal.abort() })).toBe('deleting');
    const waiting = createWhenFree(registry, plant, { signal, pollMs: 5 });
    await registry.forgetCollection('default', 'plant');
    expect(await waiting).toMatchObject({ name: 'plant' });
  });

  it('that are not gone after five seconds are a problem to come back with', {
    timeout: 20_000,
  }, async () => {
    const { request } = await asked();
    await request('POST', '/api/collections', { name: 'plant' });
    await request('DELETE', '/api/collections/plant');
    const again = await request('POST', '/api/collections', { name: 'plant' });
    expect(again).toMatchObject({ status: 409, body: { code: 'collection_deleting', retryable: true } });
    expect(Number(again.headers.get('retry-after'))).toBeGreaterThan(0);
  });

  it('take no document until they are gone, and say so in the same words', async () => {
    const { request } = await asked();
    await request('POST', '/api/collections', { name: 'plant' });
    await request('DELETE', '/api/collections/plant');
    const refused = await request('POST', '/api/documents', { collection: 'plant', text: 'words' });
    expect(refused).toMatchObject({ status: 409, body: { code: 'collection_deleting', retryable: true } });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  });

  it.each([
    ['GET', '/api/collections/nope', undefined, 404],
    ['GET', '/api/collections/..%2fetc', undefined, 404],
    ['PATCH', '/api/collections/nope', {}, 404],
    ['DELETE', '/api/collections/nope', undefined, 404],
    ['POST', '/api/collections', { name: '../x' }, 422],
    ['POST', '/api/collections', { name: 'x', chunk_size: 4 }, 422],
    ['PATCH', '/api/collections/nope', { chunksize: 4 }, 422],
    ['PUT', '/api/collections/nope', {}, 405],
  ])('%s %s with %j is %i', async (method, path, body, status) => {
    const { request } = await asked();
    expect((await request(method, path, body)).status).toBe(status);
  });

  it('says which methods a path takes', async () => {
    const { app } = await gatewayUnderTest();
    const response = await app.request('/api/collections/x', { method: 'OPTIONS' });
    expect([response.status, response.headers.get('allow')]).toEqual([
      204,
      'GET, HEAD, PATCH, DELETE, OPTIONS',
    ]);
  });
});
