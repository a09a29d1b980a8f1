import { problem } from '@vortex/contracts';
import { describe, expect, it } from 'vitest';
import { gatewayUnderTest } from './gateway-under-test.ts';
import { field, filePart, multipart, multipartType } from './multipart.ts';

const deep = `${'{"a":'.repeat(1000)}1${'}'.repeat(1000)}`;
const form = (...parts: string[]) => ({
  method: 'POST',
  headers: { 'Content-Type': multipartType },
  body: multipart(...parts, filePart('"a.txt"', 'The pump needs oil.')),
});

describe('what no registry and no reader of JSON can hold', () => {
  it('is refused where it is deep', async () => {
    const { app, post } = await gatewayUnderTest();
    const answers = [
      await post('/api/documents', `{"text":"x","metadata":${deep}}`),
      await app.request('/api/documents/upload', form(field('metadata', deep))),
    ];
    for (const response of answers) {
      expect(response.status).toBe(422);
      expect(problem.parse(await response.json()).errors).toMatchObject([{ pointer: '/metadata' }]);
    }
  });

  it('is refused as a document’s name', async () => {
    const { post } = await gatewayUnderTest();
    for (const name of ['a\ud83d', 'a\0']) {
      const document = await post('/api/documents', { text: 'x', external_id: name });
      const ingest = await post('/ingest', { document_id: name, content: 'x' });
      expect([document.status, ingest.status]).toEqual([422, 422]);
    }
  });

  it('is replaced in what is only shown, so that every list can be read', async () => {
    const { app, post } = await gatewayUnderTest();
    // 511 letters, then a whole character: the name that the title stands for ends within it.
    const title = `${'a'.repeat(511)}😀\ud83d`;
    const made = await post('/api/documents', { text: 'x', title, metadata: { 'k\ud83d': 'v\0\udc00' } });
    expect(made.status).toBe(202);
    for (const path of ['/api/jobs', '/api/documents']) {
      const list = await (await app.request(path)).text();
      expect(list).not.toMatch(/\\ud[89a-f]|\\u0000/i);
      expect(list).toContain('"k\ufffd":"v\ufffd\ufffd"');
    }
  });

  it('is replaced in what the queue is told of a document of POST /ingest', async () => {
    const { post, queue } = await gatewayUnderTest();
    await post('/ingest', { document_id: 'a', content: 'x', title: 't\ud83d' });
    expect(queue.submitted[0]?.track?.payload).toMatchObject({ title: 't\ufffd' });
  });
});
