import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { until } from '@vortex/testkit';
import { Response } from 'undici';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Terminal } from '../terminal.ts';
import { type IngestOptions, ingestFiles } from './ingest-files.ts';
import type { IngestedFile } from './ingest-one.ts';

/** What the gateway is to make of a file, by its name. */
type Fate = 'completed' | 'failed' | 'unchanged' | 'refused' | 'full-first' | 'never-ends';

let root: string;
let server: Server;
let fates: Record<string, Fate>;
let uploads: { name: string; key: unknown; form: Awaited<ReturnType<Response['formData']>> }[];
let deleted: string[];
let printed: string[];
let noted: string[];

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'vortex-ingest-'));
  [fates, uploads, deleted, printed, noted] = [{}, [], [], [], []];
  vi.spyOn(console, 'log').mockImplementation((line: string) => void printed.push(line));
  server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(() => {
  vi.restoreAllMocks();
  server.closeAllConnections();
  server.close();
  rmSync(root, { recursive: true, force: true });
});

const terminal: Terminal = {
  interactive: false,
  step: () => ({ update: () => {}, done: () => {}, fail: () => {} }),
  note: (line) => void noted.push(line),
  confirm: async () => false,
};

function json(response: ServerResponse, status: number, body: unknown, headers = {}) {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

function problem(response: ServerResponse, status: number, code: string, headers = {}) {
  const body = { type: 't', title: code, status, detail: `it is ${code}`, code, retryable: status === 503 };
  json(response, status, body, headers);
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await buffer(request);
  const { pathname } = new URL(request.url ?? '', 'http://x');
  const [, , kind, id = ''] = pathname.split('/').map(decodeURIComponent);
  const name = id.replace(/^(job|doc)_/, '');
  if (pathname === '/api/documents/upload') {
    const type = request.headers['content-type'] ?? '';
    return accept(
      request,
      response,
      await new Response(body, { headers: { 'content-type': type } }).formData(),
    );
  }
  if (kind === 'documents') {
    if (request.method === 'DELETE') {
      deleted.push(id);
      return json(response, 200, { id, deleted: true, message: 'gone' });
    }
    return json(response, 200, documentOf(id));
  }
  const status = fates[name] === 'failed' ? 'failed' : 'completed';
  const job = {
    id,
    status,
    progress: status === 'failed' ? 40 : 100,
    message: null,
    error: status === 'failed' ? 'it has no text' : null,
    error_code: status === 'failed' ? 'empty_document' : null,
    updated_at: null,
  };
  if (pathname.endsWith('/events')) {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const begun = { ...job, status: 'processing', progress: 10, message: 'Reading', sequence: 1 };
    response.write(`event: progress\ndata: ${JSON.stringify(begun)}\n\n`);
    if (fates[name] !== 'never-ends')
      response.end(`event: end\ndata: ${JSON.stringify({ ...job, sequence: 2 })}\n\n`);
    return;
  }
  const more = { type: 'document', created_at: null, started_at: null, completed_at: null };
  json(response, 200, { ...job, ...more, result: { document_id: `doc_${name}`, chunk_count: 7 } });
}

function accept(
  request: IncomingMessage,
  response: ServerResponse,
  form: Awaited<ReturnType<Response['formData']>>,
) {
  const name = String(form.get('external_id'));
  uploads.push({ name, key: request.headers['idempotency-key'], form });
  const first = uploads.filter((upload) => upload.name === name).length === 1;
  const fate = fates[name] ?? 'completed';
  if (fate === 'refused') return problem(response, 415, 'unsupported_type');
  if (fate === 'full-first' && first) return problem(response, 503, 'overloaded', { 'retry-after': '0' });
  const unchanged = fate === 'unchanged';
  json(response, unchanged ? 200 : 202, {
    job_id: unchanged ? null : `job_${name}`,
    status: unchanged ? 'completed' : 'queued',
    message: 'm',
    created_at: 'x',
    document_id: `doc_${name}`,
    status_url: null,
    ...(unchanged && { deduplicated: true }),
    ...(name === 'a.md' && { notes: ['chunk_size is 256'] }),
  });
}

function documentOf(id: string) {
  const none = { filename: null, pages: null, content_hash: null, external_id: null, last_error: null };
  const counts = { bytes: 1, chunks: 3, tokens: 1, version: 1 };
  const times = { created_at: 'x', updated_at: 'x' };
  const words = { collection: 'c', title: 't', media_type: 'text/plain', state: 'ready', metadata: {} };
  return { id, document_id: id, ...words, ...none, ...counts, ...times };
}

const run = (options: Partial<IngestOptions> = {}) =>
  ingestFiles(
    [root],
    {
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      collection: 'notes',
      json: true,
      watch: false,
      delete: false,
      ...options,
    },
    terminal,
  );

const outcomes = () => {
  const { files } = JSON.parse(printed[0] ?? '') as { files: IngestedFile[] };
  return Object.fromEntries(files.map(({ name, status, chunk_count }) => [name, [status, chunk_count]]));
};

describe('ingest', () => {
  it('says of every file what became of it, and false when one failed', async () => {
    fates = { 'b.md': 'failed', 'c.md': 'refused', 'd.md': 'full-first', 'e.md': 'unchanged' };
    for (const name of ['a.md', ...Object.keys(fates)]) writeFileSync(join(root, name), name);
    expect(await run()).toBe(false);
    expect(outcomes()).toEqual({
      'a.md': ['completed', 7],
      'b.md': ['failed', null],
      'c.md': ['failed', null],
      'd.md': ['completed', 7],
      'e.md': ['unchanged', 3],
    });
    const repeated = uploads.filter(({ name }) => name === 'd.md').map(({ key }) => key);
    expect(repeated).toEqual([repeated[0], repeated[0]]);
    expect(repeated[0]).toBeTypeOf('string');
    expect(noted.filter((line) => line.includes('c.md'))).toEqual([
      expect.stringContaining('failed: it is unsupported_type'),
    ]);
  });

  it('ends with a table: file, chunks, seconds, state, reason', async () => {
    fates = { 'b.md': 'failed' };
    for (const name of ['a.md', 'b.md']) writeFileSync(join(root, name), name);
    await run({ json: false });
    const [header, first, second] = (printed[0] ?? '').split('\n');
    expect(header).toMatch(/^file +chunks +seconds +state +reason$/);
    expect(first).toMatch(/a\.md +7 +\d+\.\d +ready +chunk_size is 256$/);
    expect(second).toMatch(/b\.md +– +\d+\.\d +failed +it has no text \(empty_document\)$/);
    expect(printed[0]).toContain('1 of 2 files in collection notes, 7 chunks; 1 failed');
  });

  it('sends what was asked for with every file', async () => {
    writeFileSync(join(root, 'a.md'), 'a');
    const settings = { chunkSize: 128, chunkOverlap: 0, strategy: 'fixed', ifExists: 'skip' } as const;
    await run({ ...settings, metadata: { year: 2020 } });
    const { file: _, ...fields } = Object.fromEntries(uploads[0]?.form.entries() ?? []);
    expect(fields).toEqual({
      collection: 'notes',
      external_id: 'a.md',
      chunk_size: '128',
      chunk_overlap: '0',
      chunking_strategy: 'fixed',
      metadata: '{"year":2020}',
      if_exists: 'skip',
    });
  });

  it('stops waiting at Ctrl-C, and says that the jobs go on', async () => {
    fates = Object.fromEntries(['1', '2', '3', '4', '5'].map((name) => [`${name}.md`, 'never-ends']));
    for (const name of Object.keys(fates)) writeFileSync(join(root, name), name);
    const running = run();
    await until('four are under way', () => uploads.length === 4);
    // As the terminal does it; the handler is the command's own.
    process.emit('SIGINT');
    expect(await running).toBe(false);
    const states = Object.values(outcomes()).map(([status]) => status);
    expect(states.filter((status) => status === 'not_sent').length).toBeGreaterThanOrEqual(1);
    expect(states).not.toContain('failed');
    expect(process.listenerCount('SIGINT')).toBe(0);
  });

  it('goes on with what changes: a failure does not end it, a file that goes is forgotten', async () => {
    writeFileSync(join(root, 'a.md'), 'a');
    const running = run({ watch: true, delete: true });
    await until('the first pass is over', () => noted.some((line) => line.startsWith('Watching')));
    fates = { 'bad.md': 'failed' };
    writeFileSync(join(root, 'bad.md'), 'x');
    await until('the failure is told', () => printed.some((line) => line.includes('empty_document')));
    writeFileSync(join(root, 'later.md'), 'x');
    rmSync(join(root, 'a.md'));
    await until('the later file is told', () => printed.some((line) => line.includes('later.md')));
    await until('the document went', () => deleted.length > 0);
    process.emit('SIGINT');
    expect(await running).toBe(true);
    expect(deleted).toEqual(['doc_a.md']);
    expect(uploads.map(({ name }) => name)).toEqual(['a.md', 'bad.md', 'later.md']);
  }, 20_000);
});
