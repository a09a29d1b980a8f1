import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { ingestResponse, problem, uploadAccepted, uploadsAccepted } from '@vortex/contracts';
import { QueueFull, QueueUnavailable } from '@vortex/queue';
import { until } from '@vortex/testkit';
import { describe, expect, it } from 'vitest';
import { type GatewayUnderTest, gatewayUnderTest } from './gateway-under-test.ts';
import { field, filePart, multipart, multipartType } from './multipart.ts';

const send = (
  { app }: GatewayUnderTest,
  body: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = {},
) =>
  app.request('/api/documents/upload', {
    method: 'POST',
    headers: { 'Content-Type': multipartType, ...headers },
    body,
  });

const hashOf = (text: string) => createHash('sha256').update(text).digest('hex');

/** One piece, because all of it is one route's word. Nothing of a refused request is kept: no file, no document, no job, nothing in the queue. */
async function expectNothingKept({
  registry,
  originals,
  incomingDir,
  queue,
}: GatewayUnderTest): Promise<void> {
  expect(await arriving(incomingDir)).toEqual([]);
  const kept: string[] = [];
  for await (const { hash } of originals.list()) kept.push(hash);
  expect(kept).toEqual([]);
  expect(await registry.listDocuments('default')).toEqual([]);
  expect(await registry.listJobs('default')).toEqual([]);
  expect(await registry.listCollections('default')).toEqual([]);
  expect(queue.submitted).toEqual([]);
}

const arriving = (folder: string) => readdir(folder).catch(() => []);

describe('POST /api/documents/upload', () => {
  it.each([
    ['a small file, which is held', 1],
    ['a file that is written while it arrives', 5000],
  ])('accepts %s: stored, in the registry, its bare id in the queue', async (_, times) => {
    const gateway = await gatewayUnderTest();
    const { queue, registry, originals, incomingDir } = gateway;
    const content = '# Pump\n\nThe pump needs oil.\n'.repeat(times);
    const response = await send(
      gateway,
      multipart(
        field('collection', 'plant'),
        filePart('"pump.md"', content),
        field('metadata', '{"lang":"en"}'),
        field('chunk_size', '100000'),
      ),
    );
    expect(response.status).toBe(202);
    const body = uploadAccepted.parse(await response.json());
    expect(body).toMatchObject({
      status: 'queued',
      filename: 'pump.md',
      status_url: `/api/jobs/${body.job_id}`,
      notes: [expect.stringContaining('clamped from 100000 to 256')],
    });
    expect(response.headers.get('location')).toBe(body.status_url);
    expect(queue.submitted).toMatchObject([
      { list: 'queue:document_upload', lane: 'low', id: body.job_id, envelope: 'bare' },
    ]);
    expect(queue.submitted[0]?.track).toMatchObject({ type: 'document_upload', maxRetries: 4 });
    expect(await registry.getJob('default', body.job_id ?? '')).toMatchObject({
      status: 'queued',
      collection: 'plant',
      documentId: body.document_id,
      payload: {
        ...{ collection: 'plant', external_id: 'pump.md', filename: 'pump.md', title: null },
        ...{ media_type: 'text/markdown', content_hash: hashOf(content), bytes: content.length },
        ...{ metadata: { lang: 'en' }, chunk_size: 256, chunk_overlap: 32, chunking_strategy: 'structure' },
      },
    });
    expect((await originals.get(hashOf(content))).toString()).toBe(content);
    await until('no arriving file is left', async () => (await arriving(incomingDir)).length === 0);
  });

  it('answers the same bytes with the same settings without work, and changed ones with a new job', async () => {
    const gateway = await gatewayUnderTest();
    const upload = async (content: string) => {
      const response = await send(gateway, multipart(filePart('"a.txt"', content)));
      return { status: response.status, body: uploadAccepted.parse(await response.json()) };
    };
    const first = await upload('one');
    const again = await upload('one');
    expect(again).toMatchObject({
      status: 200,
      body: { deduplicated: true, job_id: first.body.job_id, document_id: first.body.document_id },
    });
    const changed = await upload('two');
    expect(changed).toMatchObject({ status: 202, body: { document_id: first.body.document_id } });
    expect(gateway.queue.submitted.map(({ id }) => id)).toEqual([first.body.job_id, changed.body.job_id]);
    const skipped = await send(gateway, multipart(filePart('"a.txt"', 'three'), field('if_exists', 'skip')));
    expect([skipped.status, await skipped.json()]).toMatchObject([200, { status: 'skipped', job_id: null }]);
    const refused = await send(gateway, multipart(filePart('"a.txt"', 'three'), field('if_exists', 'error')));
    expect([refused.status, await refused.json()]).toMatchObject([409, { code: 'document_exists' }]);
    expect(gateway.queue.submitted).toHaveLength(2);
    expect(await gateway.originals.has(hashOf('three'))).toBe(false);
  });

  it('takes several files, and says which it refused', async () => {
    const gateway = await gatewayUnderTest();
    const response = await send(
      gateway,
      multipart(
        filePart('"a.txt"', 'one'),
        filePart('"b.pdf"', 'this is no PDF'),
        filePart('"c.txt"', ''),
        filePart('"d.txt"', 'four'),
      ),
    );
    expect(response.status).toBe(202);
    const { jobs } = uploadsAccepted.parse(await response.json());
    expect(jobs).toMatchObject([
      { filename: 'a.txt', status: 'queued' },
      { filename: 'b.pdf', status: 'refused', code: expect.stringMatching(/corrupt_file|unsupported_type/) },
      { filename: 'c.txt', status: 'refused', code: 'empty_document' },
      { filename: 'd.txt', status: 'queued' },
    ]);
    expect(gateway.queue.submitted).toHaveLength(2);
    await until('no arriving file is left', async () => (await arriving(gateway.incomingDir)).length === 0);
  });

  it.each([
    ['"../../etc/cron.d/x.txt"', 'x.txt'],
    ['"C:\\\\temp\\\\y.txt"', 'y.txt'],
    ['"übung 年.txt"', 'übung 年.txt'],
    [`"plain.txt"; filename*=UTF-8''na%C3%AFve.txt`, 'naïve.txt'],
  ])('takes the name %s as data: %s', async (sent, name) => {
    const gateway = await gatewayUnderTest();
    const response = await send(gateway, multipart(filePart(sent, 'text')));
    expect(uploadAccepted.parse(await response.json()).filename).toBe(name);
    const [document] = await gateway.registry.listDocuments('default');
    expect(document).toMatchObject({ filename: name, externalId: name });
  });

  it.each([
    { name: 'JSON', type: 'application/json', body: '{}', status: 415, code: 'unsupported_media_type' },
    { name: 'no boundary', type: 'multipart/form-data', body: '', status: 400, code: 'invalid_multipart' },
    { name: 'no files', body: multipart(field('title', 'T')), status: 422, pointers: ['/file'] },
    { name: 'nothing at all', body: '', status: 400, code: 'invalid_multipart' },
    {
      name: 'another boundary',
      body: multipart(filePart('"a.txt"', 'a')).replaceAll('testboundary', 'other'),
      status: 400,
      code: 'invalid_multipart',
    },
    {
      name: 'an end before the last boundary',
      body: filePart('"a.txt"', 'cut off'),
      status: 400,
      code: 'invalid_multipart',
    },
    { name: 'a file without a name', body: multipart(filePart('""', 'a')), status: 422, pointers: ['/file'] },
    { name: 'a file as text', body: multipart(field('file', 'a')), status: 422, pointers: ['/file'] },
    {
      name: 'a file under another field',
      body: multipart(filePart('"a.txt"', 'a', 'document')),
      status: 422,
      pointers: ['/document'],
    },
    {
      name: 'bad values, behind the file, all at once',
      body: multipart(
        filePart('"a.txt"', 'a'),
        field('chunk_size', '12x'),
        field('chunk_overlap', '-1'),
        field('metadata', '{"a":'),
        field('colection', 'x'),
        field('if_exists', ''),
      ),
      status: 422,
      pointers: ['/metadata', '/chunk_size', '/chunk_overlap', '/if_exists', '/colection'],
    },
    {
      name: 'a field twice',
      body: multipart(field('title', 'a'), field('title', 'b'), filePart('"a.txt"', 'a')),
      status: 422,
      pointers: ['/title'],
    },
    {
      name: '__proto__',
      body: multipart(filePart('"a.txt"', 'a'), field('__proto__', '{}')),
      status: 422,
      pointers: ['/__proto__'],
    },
    {
      name: 'a title for two files',
      body: multipart(field('title', 'T'), filePart('"a.txt"', 'a'), filePart('"b.txt"', 'b')),
      status: 422,
      pointers: ['/title'],
    },
    {
      name: 'more files than are taken',
      body: multipart(...Array.from({ length: 6 }, (_, at) => filePart(`"${at}.txt"`, 'a'))),
      status: 422,
      pointers: ['/file'],
    },
    {
      name: 'ten thousand fields',
      body: multipart(
        ...Array.from({ length: 10_000 }, (_, at) => field(`f${at}`, '1')),
        filePart('"a.txt"', 'a'),
      ),
      status: 422,
      pointers: [''],
    },
    {
      name: 'a huge field',
      body: multipart(filePart('"a.txt"', 'a'), field('title', 'x'.repeat(300_000))),
      status: 422,
      pointers: ['/title'],
    },
    {
      name: 'a webhook that leads inside',
      body: multipart(filePart('"a.txt"', 'a'), field('webhook_url', 'https://10.0.0.1/x')),
      status: 422,
      pointers: ['/webhook_url'],
    },
    { name: 'an empty file', body: multipart(filePart('"a.txt"', '')), status: 422, code: 'empty_document' },
    {
      name: 'bytes of no type we read',
      body: multipart(filePart('"a.bin"', `\x7fELF${'\0\x01\x02\x03'.repeat(50)}`)),
      status: 415,
      code: 'unsupported_type',
    },
  ])('refuses $name, and keeps nothing', async ({ body, type = multipartType, status, code, pointers }) => {
    const gateway = await gatewayUnderTest();
    const response = await send(gateway, body, { 'Content-Type': type });
    const refused = problem.parse(await response.json());
    expect([response.status, refused.code]).toEqual([status, code ?? 'validation']);
    if (pointers !== undefined) expect(refused.errors?.map(({ pointer }) => pointer)).toEqual(pointers);
    await expectNothingKept(gateway);
  });

  it('refuses a compressed body', async () => {
    const gateway = await gatewayUnderTest();
    const body = new Uint8Array(gzipSync(multipart(filePart('"a.txt"', 'a'))));
    const response = await send(gateway, body, { 'Content-Encoding': 'gzip' });
    expect(response.status).toBe(415);
    await expectNothingKept(gateway);
  });

  it.each([
    ['redis is known to be away', (gateway: GatewayUnderTest) => (gateway.queue.ready = false)],
    ['redis is frozen', (gateway: GatewayUnderTest) => (gateway.queue.answers = false)],
    [
      'redis goes away in between',
      (gateway: GatewayUnderTest) => {
        gateway.queue.admit = () => Promise.reject(new QueueUnavailable('redis is away'));
      },
    ],
    [
      'the queue is full',
      (gateway: GatewayUnderTest) => {
        gateway.queue.admit = () => Promise.reject(new QueueFull(1000));
      },
    ],
  ])('answers 503 when %s, and keeps nothing', async (_name, breakQueue) => {
    const gateway = await gatewayUnderTest();
    breakQueue(gateway);
    const response = await send(gateway, multipart(filePart('"a.txt"', 'a')), {
      'Idempotency-Key': 'once-more-please',
    });
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
    await expectNothingKept(gateway);
    gateway.queue.ready = true;
    gateway.queue.answers = true;
    gateway.queue.admit = async () => {};
    const again = await send(gateway, multipart(filePart('"a.txt"', 'a')), {
      'Idempotency-Key': 'once-more-please',
    });
    expect(again.status, 'the key was given back').toBe(202);
  });

  it('takes nothing of several files when the queue refuses one of them', async () => {
    const gateway = await gatewayUnderTest();
    let admitted = 0;
    gateway.queue.admit = async () => {
      admitted += 1;
      if (admitted === 2) throw new QueueFull(1000);
    };
    const response = await send(gateway, multipart(filePart('"a.txt"', 'a'), filePart('"b.txt"', 'b')));
    expect(response.status).toBe(503);
    // The first was in the queue already: its worker will find no such job.
    expect(gateway.queue.cancelled).toEqual(gateway.queue.submitted.map(({ id }) => id));
    gateway.queue.submitted.length = 0;
    await expectNothingKept(gateway);
  });
});

describe('Idempotency-Key', () => {
  const key = { 'Idempotency-Key': 'my-key-0001' };

  it('answers the same request as before, and another one 409', async () => {
    const gateway = await gatewayUnderTest();
    const body = multipart(filePart('"a.txt"', 'one'), field('collection', 'c'));
    const first = await send(gateway, body, key);
    const again = await send(gateway, body, key);
    expect([first.status, again.status]).toEqual([202, 202]);
    const { job_id: id } = uploadAccepted.parse(await first.json());
    expect(uploadAccepted.parse(await again.json()).job_id).toBe(id);
    const other = await send(gateway, multipart(filePart('"a.txt"', 'two'), field('collection', 'c')), key);
    expect([other.status, await other.json()]).toMatchObject([409, { code: 'idempotency_conflict' }]);
    expect(gateway.queue.submitted).toHaveLength(1);
    expect(await gateway.originals.has(hashOf('two'))).toBe(false);
    await until('no arriving file is left', async () => (await arriving(gateway.incomingDir)).length === 0);
  });

  it('holds for JSON documents and for POST /ingest, each on its own route', async () => {
    const { post, queue } = await gatewayUnderTest();
    const document = { title: 'T', text: 'one' };
    const first = await post('/api/documents', document, key);
    const again = await post('/api/documents', document, key);
    expect(await again.json()).toEqual(await first.json());
    expect((await post('/api/documents', { title: 'T', text: 'two' }, key)).status).toBe(409);

    const ingest = { user_id: 'u', document_id: 'd', content: 'one' };
    expect((await post('/ingest', ingest, key)).status, 'another request').toBe(409);
    const ingestKey = { 'Idempotency-Key': 'another-key' };
    const one = await post('/ingest', ingest, ingestKey);
    const two = await post('/ingest', ingest, ingestKey);
    expect(await two.json()).toEqual(await one.json());
    expect((await post('/ingest', { ...ingest, content: 'two' }, ingestKey)).status).toBe(409);
    expect(queue.submitted).toHaveLength(2);
  });

  it('is free again when the queue did not take the document', async () => {
    const { post, queue } = await gatewayUnderTest();
    const ingest = { user_id: 'u', document_id: 'd', content: 'one' };
    queue.admit = () => Promise.reject(new QueueUnavailable('redis is away'));
    expect((await post('/ingest', ingest, key)).status).toBe(503);
    queue.admit = async () => {};
    expect((await post('/ingest', { ...ingest, content: 'two' }, key)).status).toBe(202);
  });

  it('brings back what a gateway that was killed between registry and folder did not place', async () => {
    const gateway = await gatewayUnderTest();
    const body = multipart(filePart('"a.txt"', 'one'));
    expect((await send(gateway, body, key)).status).toBe(202);
    await gateway.originals.discard(hashOf('one'), async () => false);
    expect((await send(gateway, body, key)).status).toBe(202);
    expect((await gateway.originals.get(hashOf('one'))).toString()).toBe('one');
    expect(gateway.queue.submitted).toHaveLength(1);
  });

  it('queues what a gateway that was killed between key and queue did not, under the job it named', async () => {
    const { post, queue } = await gatewayUnderTest();
    const ingest = { user_id: 'u', document_id: 'd', content: 'one' };
    const first = ingestResponse.parse(await (await post('/ingest', ingest, key)).json());
    queue.jobs.clear();
    queue.submitted.length = 0;
    queue.admit = () => Promise.reject(new QueueUnavailable('redis is away'));
    expect((await post('/ingest', ingest, key)).status).toBe(503);
    queue.admit = async () => {};
    const again = await post('/ingest', ingest, key);
    expect([again.status, await again.json()]).toEqual([202, first]);
    expect(queue.submitted.map(({ id }) => id)).toEqual([first.job_id]);
  });

  it.each(['short', 'has a space', 'x'.repeat(256)])('refuses the key %j', async (bad) => {
    const gateway = await gatewayUnderTest();
    const headers = { 'Idempotency-Key': bad };
    expect((await send(gateway, multipart(filePart('"a.txt"', 'a')), headers)).status).toBe(422);
    const ingest = { user_id: 'u', document_id: 'd', content: 'c' };
    expect((await gateway.post('/ingest', ingest, headers)).status).toBe(422);
    await expectNothingKept(gateway);
  });
});

describe('POST /api/documents', () => {
  it('makes a document of a text, named by id, title or content', async () => {
    const { post, registry, originals, queue } = await gatewayUnderTest();
    const accepted = async (body: object) => {
      const response = await post('/api/documents', body);
      expect(response.status).toBe(202);
      const { document_id: id } = uploadAccepted.parse(await response.json());
      return registry.getDocument('default', id);
    };
    const html = '<h1>Pump</h1><p>Needs oil.</p>';
    expect(await accepted({ html, external_id: 'pump', title: 'Pump' })).toMatchObject({
      ...{ externalId: 'pump', title: 'Pump', mediaType: 'text/html', filename: null },
    });
    expect(await accepted({ markdown: '# A', title: 'A' })).toMatchObject({
      ...{ externalId: 'A', mediaType: 'text/markdown' },
    });
    expect(await accepted({ text: 'nameless' })).toMatchObject({
      externalId: `text-${hashOf('nameless').slice(0, 16)}`,
      mediaType: 'text/plain',
    });
    expect((await originals.get(hashOf(html))).toString()).toBe(html);
    expect(queue.submitted).toHaveLength(3);
    const again = await post('/api/documents', { text: 'nameless' });
    expect([again.status, await again.json()]).toMatchObject([200, { deduplicated: true }]);
  });

  it.each([
    [{}, ['']],
    [{ text: 'a', html: 'b' }, ['']],
    [{ text: ' ' }, ['/text']],
    [{ text: 'a', chunk_size: '12' }, ['/chunk_size']],
    [{ text: 'a', metadata: [] }, ['/metadata']],
  ])('refuses %j', async (body, pointers) => {
    const gateway = await gatewayUnderTest();
    const response = await gateway.post('/api/documents', body);
    expect(response.status).toBe(422);
    expect(problem.parse(await response.json()).errors?.map(({ pointer }) => pointer)).toEqual(pointers);
    await expectNothingKept(gateway);
  });
});
