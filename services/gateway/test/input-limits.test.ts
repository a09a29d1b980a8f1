import { problem } from '@vortex/contracts';
import { describe, expect, it } from 'vitest';
import { gatewayUnderTest } from './gateway-under-test.ts';
import { field, filePart, multipart, multipartType } from './multipart.ts';

const limits = {
  max_query_characters: 10,
  max_top_k: 3,
  max_filter_depth: 2,
  max_filter_conditions: 2,
  max_metadata_characters: 20,
  max_batch_ids: 2,
};
const condition = { field: 'a', op: 'exists' };
const filter = { not: { not: condition } };
const wide = { any: [condition, condition, condition] };
const metadata = { team: 'of the pumps in hall four' };

describe('limits of this installation', () => {
  it.each([
    ['/query', { query: 'a'.repeat(11) }, ['/query']],
    ['/query', { query: 'a', top_k: 4, filter }, ['/top_k', '/filter']],
    ['/search', { query: 'a', filter: wide }, ['/filter']],
    [
      '/v1/chat/completions',
      { model: 'rag:handbook', messages: [{ role: 'user', content: 'a'.repeat(11) }] },
      null,
    ],
    ['/api/documents', { text: 'a', metadata }, ['/metadata']],
    ['/api/documents/delete', { ids: ['a', 'b', 'c'] }, ['/ids']],
    ['/api/documents/delete', { filter }, ['/filter']],
  ])('%s refuses %j', async (path, body, pointers) => {
    const { post, queue, registry } = await gatewayUnderTest(limits);
    await registry.ensureCollection({ tenant: 'default', name: 'handbook' });
    const response = await post(path, body);
    expect(response.status).toBe(pointers === null ? 400 : 422);
    const answer = await response.json();
    expect(JSON.stringify(answer)).toMatch(/gateway\.max_/);
    if (pointers !== null)
      expect(problem.parse(answer).errors?.map(({ pointer }) => pointer)).toEqual(pointers);
    expect(queue.submitted).toEqual([]);
  });

  it('hold for uploads', async () => {
    const { app, queue } = await gatewayUnderTest(limits);
    const body = multipart(filePart('"a.txt"', 'text'), field('metadata', JSON.stringify(metadata)));
    const headers = { 'Content-Type': multipartType };
    const response = await app.request('/api/documents/upload', { method: 'POST', headers, body });
    expect(response.status).toBe(422);
    expect(problem.parse(await response.json()).errors).toMatchObject([{ pointer: '/metadata' }]);
    expect(queue.submitted).toEqual([]);
  });

  it('let through what is as large as they say', async () => {
    const { post } = await gatewayUnderTest(limits);
    const body = { query: 'a'.repeat(10), top_k: 3, filter: { any: [condition, condition] } };
    expect((await post('/query', body)).status).toBe(200);
    expect((await post('/api/documents', { text: 'a', metadata: { team: 'pumps' } })).status).toBe(202);
  });
});
