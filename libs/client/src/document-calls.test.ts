import { once } from 'node:events';
import { appendFileSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { Response } from 'undici';
import { afterAll, describe, expect, it } from 'vitest';
import { json, localGateway } from '../test/local-gateway.ts';

const folder = mkdtempSync(join(tmpdir(), 'vortex-client-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function fileOf(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

/** What a server that knows multipart finds in the request. */
async function formOf(request: IncomingMessage) {
  const { 'content-type': type = '' } = request.headers;
  return new Response(await buffer(request), { headers: { 'content-type': type } }).formData();
}

const accepted = {
  job_id: 'job_1',
  status: 'queued',
  message: 'm',
  created_at: '2026-01-01T00:00:00Z',
  document_id: 'doc_1',
  status_url: '/api/jobs/job_1',
};

const documentOf = (id: string) => ({
  id,
  document_id: id,
  collection: 'c',
  title: 't',
  filename: null,
  media_type: 'text/plain',
  bytes: 1,
  pages: null,
  chunks: 1,
  tokens: 1,
  state: 'ready',
  version: 1,
  content_hash: null,
  external_id: null,
  metadata: {},
  created_at: 'x',
  updated_at: 'x',
  last_error: null,
});

describe('an upload', () => {
  it('is a form of fields and the file, under its key and its length', async () => {
    const bytes = crypto.getRandomValues(new Uint8Array(60_000));
    const path = fileOf('a "quoted" ä.bin', bytes);
    const seen: { key: unknown; length: number; form?: Awaited<ReturnType<typeof formOf>> } = {
      key: null,
      length: 0,
    };
    const { client } = await localGateway(async (request, response) => {
      seen.key = request.headers['idempotency-key'];
      seen.length = Number(request.headers['content-length']);
      seen.form = await formOf(request);
      json(response, 202, accepted);
    });
    const sent: [number, number][] = [];
    const reply = await client.upload(
      path,
      { collection: 'notes', external_id: 'a/b', chunk_size: 64, metadata: { year: 2020, tags: ['x'] } },
      { idempotencyKey: 'k-1', onSent: (now, total) => sent.push([now, total]) },
    );
    expect(reply.job_id).toBe('job_1');
    const form = seen.form;
    const file = form?.get('file') as File;
    expect(new Uint8Array(await file.arrayBuffer())).toEqual(bytes);
    expect(decodeURIComponent(file.name)).toBe('a "quoted" ä.bin');
    expect([...(form?.keys() ?? [])]).toEqual([
      'collection',
      'external_id',
      'chunk_size',
      'metadata',
      'file',
    ]);
    expect(form?.get('chunk_size')).toBe('64');
    expect(JSON.parse(String(form?.get('metadata')))).toEqual({ year: 2020, tags: ['x'] });
    expect(seen.key).toBe('k-1');
    expect(seen.length).toBeGreaterThan(60_000);
    expect(sent).toEqual([[60_000, 60_000]]);
  });

  it('of an empty file arrives', async () => {
    const { client } = await localGateway(async (request, response) => {
      const file = (await formOf(request)).get('file') as File;
      json(response, 202, { ...accepted, message: `${file.size} bytes` });
    });
    expect((await client.upload(fileOf('empty.txt', ''))).message).toBe('0 bytes');
  });

  it('is read no faster than it is taken', async () => {
    const size = 64 * 1024 * 1024;
    const path = fileOf('large.bin', '');
    truncateSync(path, size);
    let read = 0;
    let taken = 0;
    let ahead = 0;
    const { client } = await localGateway(async (request, response) => {
      for await (const piece of request as AsyncIterable<Buffer>) {
        ahead = Math.max(ahead, read - taken);
        taken += piece.byteLength;
      }
      json(response, 202, accepted);
    });
    await client.upload(path, {}, { onSent: (now) => (read = now) });
    expect(read).toBe(size);
    expect(taken).toBeGreaterThan(size);
    // The sockets' own buffers are a few megabytes on loopback; the file is 64.
    expect(ahead).toBeLessThan(size / 2);
  });

  it('that is refused in the middle says why', async () => {
    const path = fileOf('too-large.bin', '');
    truncateSync(path, 64 * 1024 * 1024);
    const problem = {
      type: 't',
      title: 'Too large',
      status: 413,
      detail: 'at most 1 MB',
      code: 'file_too_large',
      retryable: false,
    };
    const { client } = await localGateway(async (request, response) => {
      await once(request, 'readable');
      json(response, 413, problem);
      request.resume();
    });
    await expect(client.upload(path)).rejects.toMatchObject({ status: 413, code: 'file_too_large' });
  });

  it('keeps to the length it promised when the file grows, and fails when it shrinks', async () => {
    const path = fileOf('changing.bin', Buffer.alloc(4 * 1024 * 1024));
    let change = () => {};
    const { client } = await localGateway(async (request, response) => {
      await once(request, 'readable');
      change();
      json(response, 202, { ...accepted, message: `${((await formOf(request)).get('file') as File).size}` });
    });
    change = () => appendFileSync(path, 'more');
    expect((await client.upload(path)).message).toBe(String(4 * 1024 * 1024));
    change = () => truncateSync(path, 10);
    let held = false;
    const shrinking = client.upload(
      path,
      {},
      {
        onSent: () => {
          if (!held) truncateSync(path, 10);
          held = true;
        },
      },
    );
    await expect(shrinking).rejects.toThrow('became shorter');
  });

  it('stops with its signal, and names a file that is not there', async () => {
    const begun = Promise.withResolvers<void>();
    const { client } = await localGateway(() => begun.resolve());
    const stop = new AbortController();
    const uploading = client.upload(fileOf('a.txt', 'a'), {}, { signal: stop.signal });
    await begun.promise;
    stop.abort();
    await expect(uploading).rejects.toMatchObject({ name: 'AbortError' });
    await expect(client.upload(join(folder, 'none'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('hears from the header how long a gateway without room wants to be left alone', async () => {
    const { client } = await localGateway(async (request, response) => {
      await buffer(request);
      response.writeHead(503, { 'retry-after': '2' }).end('full');
    });
    await expect(client.upload(fileOf('a.txt', 'a'))).rejects.toMatchObject({
      status: 503,
      retryAfterMs: 2000,
    });
  });
});

it('lists, reads and deletes documents', async () => {
  const heard: string[] = [];
  const { client } = await localGateway(async (request, response) => {
    const body = String(await buffer(request));
    heard.push(`${request.method} ${request.url} ${body}`.trim());
    const { pathname } = new URL(request.url ?? '', 'http://x');
    if (request.method === 'DELETE') json(response, 200, { id: 'doc_1', deleted: true, message: 'm' });
    else if (pathname.endsWith('/text')) response.end('words');
    else if (pathname.endsWith('/content')) response.end(Buffer.from([0, 255]));
    else if (pathname.endsWith('/chunks')) json(response, 200, { chunks: [], next: null });
    else if (pathname.endsWith('/delete')) json(response, 200, { deleted: 1, ids: ['doc_1'], dry_run: true });
    else if (pathname === '/api/documents' && request.method === 'GET')
      json(response, 200, { documents: [documentOf('doc_1')], next: null });
    else if (request.method === 'POST') json(response, 202, accepted);
    else json(response, 200, documentOf('a/b'));
  });
  const { documents } = client;
  expect((await documents.list({ collection: 'c', q: 'ä b' })).documents[0]?.id).toBe('doc_1');
  expect((await documents.get('a/b')).id).toBe('a/b');
  expect(await documents.text('doc_1')).toBe('words');
  expect(await new Response(await documents.content('doc_1')).bytes()).toEqual(new Uint8Array([0, 255]));
  expect((await documents.chunks('doc_1', { after: '50', limit: 10 })).next).toBeNull();
  expect((await documents.delete('doc_1')).deleted).toBe(true);
  expect((await documents.deleteByFilter({ q: 'x', dry_run: true })).dry_run).toBe(true);
  expect((await documents.create({ text: 'x' })).document_id).toBe('doc_1');
  expect(heard).toEqual([
    'GET /api/documents?collection=c&q=%C3%A4+b',
    'GET /api/documents/a%2Fb',
    'GET /api/documents/doc_1/text',
    'GET /api/documents/doc_1/content',
    'GET /api/documents/doc_1/chunks?after=50&limit=10',
    'DELETE /api/documents/doc_1',
    'POST /api/documents/delete {"q":"x","dry_run":true}',
    'POST /api/documents {"text":"x"}',
  ]);
});

it('makes, changes and deletes collections', async () => {
  const collection = {
    name: 'notes',
    embedding_model: null,
    model: null,
    dimension: null,
    relevance_floor: 0.3,
    chunk_size: null,
    chunk_overlap: null,
    chunking_strategy: null,
    documents: 0,
    chunks: 0,
    bytes: 0,
    created_at: 'x',
    updated_at: 'x',
  };
  const heard: string[] = [];
  const { client } = await localGateway(async (request, response) => {
    heard.push(`${request.method} ${request.url} ${await buffer(request)}`.trim());
    if (request.method === 'DELETE')
      json(response, 200, { name: 'notes', deleted: true, documents: 2, message: 'm' });
    else if (request.method === 'GET' && request.url === '/api/collections')
      json(response, 200, { collections: [collection] });
    else json(response, request.method === 'POST' ? 201 : 200, collection);
  });
  const { collections } = client;
  expect((await collections.list()).collections).toHaveLength(1);
  expect((await collections.get('notes')).name).toBe('notes');
  expect((await collections.create({ name: 'notes', relevance_floor: 0.3 })).relevance_floor).toBe(0.3);
  await collections.update('notes', { relevance_floor: null });
  expect((await collections.delete('notes')).documents).toBe(2);
  expect(heard).toEqual([
    'GET /api/collections',
    'GET /api/collections/notes',
    'POST /api/collections {"name":"notes","relevance_floor":0.3}',
    'PATCH /api/collections/notes {"relevance_floor":null}',
    'DELETE /api/collections/notes',
  ]);
});
