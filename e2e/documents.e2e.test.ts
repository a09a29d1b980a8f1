import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type MetricName, metricNames } from '@vortex/observability';
import { createParser } from 'eventsource-parser';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allChunks, ingest, jobEnd, prose, search, textOf, upload } from './documents.ts';
import { eventually, getJson, postJson } from './http.ts';
import { expectEveryRow, movedRows, readPages } from './metrics.ts';
import { type Stack, startStack } from './stack.ts';

/** One piece for the reason of query.e2e.test.ts: one stack, and none of these tests breaks it for the next. */
let stack: Stack;
let redis: Redis;

beforeAll(async () => {
  stack = await startStack({
    args: ['--no-demo'],
    set: [
      'gateway.max_upload_bytes=20000000',
      // As if this file had been touched by a backup.
      `data.snapshot_marker=${import.meta.filename}`,
    ],
  });
  redis = new Redis(stack.redisUrl);
});
afterAll(async () => {
  redis?.disconnect();
  await stack?.stop();
});

async function expectCleanAudit(): Promise<void> {
  await eventually(
    async () => {
      const { code, output } = await stack.vortex('audit', '--json');
      const report = JSON.parse(output);
      return (
        code === 0 && report.collections.every((one: { pending_purges: number }) => one.pending_purges === 0)
      );
    },
    30_000,
    'the audit is clean',
  );
}

describe('an upload', () => {
  it('is answered 202 with the fields of the API, and is found and cited when its job has completed', async () => {
    const content = `# Warranty\n\nThe warranty of the Kestrel drone lasts 27 months from delivery.\n\n${prose('kestrel', 3)}`;
    const { status, body, headers } = await upload(stack.url, {
      name: 'kestrel.md',
      content,
      fields: { collection: 'first', metadata: { lang: 'en', year: 2024 } },
    });
    expect(status).toBe(202);
    expect(body).toMatchObject({
      status: 'queued',
      message: expect.any(String),
      created_at: expect.any(String),
    });
    expect(body.status_url).toBe(`/api/jobs/${body.job_id}`);
    expect(headers.get('location')).toBe(body.status_url);
    const job = await jobEnd(stack.url, body.job_id);
    expect(job).toMatchObject({
      status: 'completed',
      progress: 100,
      error: null,
      result: {
        document_id: body.document_id,
        collection: 'first',
        chunk_count: expect.any(Number),
        processing_time_ms: expect.any(Number),
      },
    });
    const document = (await getJson(`${stack.url}/api/documents/${body.document_id}`)).body;
    expect(document).toMatchObject({
      id: body.document_id,
      filename: 'kestrel.md',
      external_id: 'kestrel.md',
      media_type: 'text/markdown',
      bytes: Buffer.byteLength(content),
      state: 'ready',
      version: 1,
      chunks: job.result.chunk_count,
      metadata: { lang: 'en', year: 2024 },
    });
    const [hit] = await search(stack.url, 'How long does the warranty of the Kestrel drone last?', {
      collection: 'first',
    });
    expect(hit.document_id).toBe(body.document_id);
    const answer = await postJson(`${stack.url}/query`, {
      query: 'How long does the warranty of the Kestrel drone last?',
      collection: 'first',
    });
    expect(answer.body.answer).toContain('27 months');
    expect(answer.body.citations[0].document_id).toBe(body.document_id);
    const original = await fetch(`${stack.url}/api/documents/${body.document_id}/content`);
    expect(await original.text()).toBe(content);
  });

  it('tells its progress truly: never back, in words, and 100 only when the document is found', async () => {
    const { body } = await upload(stack.url, {
      name: 'long.txt',
      content: `${prose('progress', 60)}\n\nThe zanzibar clause closes this document.`,
      fields: { collection: 'progress', chunk_size: 64 },
    });
    const seen: { progress: number; status: string; message: string | null }[] = [];
    for (;;) {
      const job = (await getJson(`${stack.url}/api/jobs/${body.job_id}`)).body;
      seen.push(job);
      if (job.progress === 100) {
        const [hit] = await search(stack.url, 'zanzibar clause', { collection: 'progress' });
        expect(hit?.text).toContain('zanzibar');
      }
      if (['completed', 'failed'].includes(job.status)) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(seen.at(-1)).toMatchObject({ status: 'completed', progress: 100 });
    const numbers = seen.map(({ progress }) => progress);
    expect(numbers).toEqual([...numbers].sort((one, other) => one - other));
    expect(
      seen.filter(({ progress }) => progress === 100).every(({ status }) => status === 'completed'),
    ).toBe(true);
    expect(seen.some(({ message }) => /Embedding \d+ of \d+ chunks/.test(message ?? ''))).toBe(true);
  });

  it('streams events that resume after a cut without a gap', async () => {
    const { body } = await upload(stack.url, {
      name: 'events.txt',
      content: prose('events', 40),
      fields: { collection: 'events', chunk_size: 64 },
    });
    const events: { id: string; event: string; data: string }[] = [];
    let last = '';
    for (let cut = 0; events.at(-1)?.event !== 'end' && cut < 100; cut += 1) {
      const leave = new AbortController();
      const reply = await fetch(`${stack.url}/api/jobs/${body.job_id}/events`, {
        headers: last === '' ? {} : { 'Last-Event-ID': last },
        signal: leave.signal,
      });
      expect(reply.headers.get('content-type')).toContain('text/event-stream');
      const parser = createParser({
        onEvent: ({ id, event, data }) => events.push({ id: id ?? '', event: event ?? '', data }),
      });
      const decoder = new TextDecoder();
      const before = events.length;
      const reader = reply.body?.getReader();
      while (reader !== undefined) {
        const { done, value } = await reader.read();
        if (done) break;
        parser.feed(decoder.decode(value, { stream: true }));
        // Cut after every event or two.
        if (events.length >= before + 2) break;
      }
      leave.abort();
      last = events.at(-1)?.id ?? '';
    }
    expect(events.at(-1)?.event).toBe('end');
    const ids = events.map(({ id }) => Number(id));
    expect(ids).toEqual(Array.from({ length: ids.length }, (_, index) => (ids[0] ?? 0) + index));
    expect(JSON.parse(events.at(-1)?.data ?? '{}')).toMatchObject({ status: 'completed', progress: 100 });
  });

  it('can be waited for', async () => {
    const { body } = await upload(stack.url, {
      name: 'wait.txt',
      content: prose('wait', 2),
      fields: { collection: 'wait' },
    });
    const job = (await getJson(`${stack.url}/api/jobs/${body.job_id}?wait=30s`)).body;
    expect(job.status).toBe('completed');
  });
});

describe('files made by other programs', () => {
  const folder = join(import.meta.dirname, '../libs/documents/test/fixtures');
  const sentence = 'A full tank of colza oil lasts eleven winter nights, and not one hour longer.';

  it.each([
    ['page.html', null],
    ['libreoffice.docx', null],
    ['libreoffice.odt', null],
    ['libreoffice.rtf', null],
    ['libreoffice.epub', null],
    ['libreoffice.pdf', 1],
    ['pandoc.docx', null],
    ['pandoc.epub', null],
    ['pandoc.pptx', 2],
    ['pandoc.odp', 2],
  ])('%s: chunks stand at their offsets, the sentence is found first and cited', async (name, page) => {
    const collection = `format-${name}`;
    const { documentId } = await ingest(stack.url, {
      name,
      content: new Uint8Array(readFileSync(join(folder, name))),
      fields: { collection, chunk_size: 48, chunk_overlap: 0 },
    });
    const text = await textOf(stack.url, documentId);
    const chunks = await allChunks(stack.url, documentId);
    expect(chunks.length).toBeGreaterThan(0);
    for (const chunk of chunks) {
      expect(text.slice(...(chunk.source_span as [number, number]))).toBe(chunk.text);
    }
    const [hit] = await search(stack.url, sentence, { collection });
    expect([hit.text.includes(sentence), hit.page]).toEqual([true, page]);
    const { body } = await postJson(`${stack.url}/query`, {
      query: 'How long does a full tank of colza oil last?',
      collection,
    });
    const cited = body.citations.find(({ excerpt }: { excerpt: string }) => excerpt.includes(sentence));
    expect([cited?.document_id, cited?.page]).toEqual([documentId, page]);
    // And word for word, as people paste what they look for.
    const verbatim = (await postJson(`${stack.url}/query`, { query: sentence, collection })).body;
    expect(verbatim.answer).toContain('eleven winter nights');
    expect([verbatim.citations[0]?.document_id, verbatim.citations[0]?.page]).toEqual([documentId, page]);
  });
});

describe('the same document again', () => {
  it('is no work when its bytes are the same, and one version replaces the other when not', async () => {
    const first = { name: 'again.txt', content: prose('again', 4), fields: { collection: 'again' } };
    const { documentId, chunks } = await ingest(stack.url, first);
    const second = await upload(stack.url, first);
    expect([second.status, second.body.deduplicated, second.body.document_id]).toEqual([
      200,
      true,
      documentId,
    ]);
    expect((await allChunks(stack.url, documentId)).length).toBe(chunks);

    const skipped = await upload(stack.url, {
      ...first,
      content: 'Other words.',
      fields: { collection: 'again', if_exists: 'skip' },
    });
    expect([skipped.status, skipped.body.status]).toEqual([200, 'skipped']);
    const refused = await upload(stack.url, {
      ...first,
      content: 'Other words.',
      fields: { collection: 'again', if_exists: 'error' },
    });
    expect([refused.status, refused.body.code]).toEqual([409, 'document_exists']);

    await ingest(stack.url, { ...first, content: 'The marmalade jar stands on the upper shelf.' });
    const document = (await getJson(`${stack.url}/api/documents/${documentId}`)).body;
    expect([document.version, document.chunks]).toEqual([2, 1]);
    await expectCleanAudit();
  });

  it('answers every question from one version or the other while it changes', async () => {
    const version = (name: string) =>
      Array.from(
        { length: 24 },
        (_, index) =>
          `The ${name} rule number ${index} says that lamp ${index} is ${name} in the ${name} hall.`,
      ).join('\n\n');
    const of = (name: string) => ({
      name: 'rules.txt',
      content: version(name),
      fields: { collection: 'rules', chunk_size: 32 },
    });
    await ingest(stack.url, of('red'));
    let changing = true;
    const change = ingest(stack.url, of('blue')).finally(() => {
      changing = false;
    });
    const mixes: string[] = [];
    const askers = Array.from({ length: 20 }, async (_, asker) => {
      while (changing) {
        const { status, body } = await postJson(`${stack.url}/query`, {
          query: `What does rule number ${asker} say about lamp ${asker} in the hall?`,
          collection: 'rules',
        });
        const text: string = (body.sources ?? [])
          .map(({ excerpt }: { excerpt: string }) => excerpt)
          .join(' ');
        const colours = [text.includes('red'), text.includes('blue')].filter(Boolean).length;
        if (status !== 200 || colours !== 1) mixes.push(`${status} ${colours} ${text.slice(0, 100)}`);
      }
    });
    await Promise.all([change, ...askers]);
    expect(mixes).toEqual([]);
    const [hit] = await search(stack.url, 'lamp 3', { collection: 'rules' });
    expect(hit.text).toContain('blue');
  });

  it('with the same Idempotency-Key is the same job; with another body it is a conflict', async () => {
    const send = (content: string) =>
      upload(
        stack.url,
        { name: 'key.txt', content, fields: { collection: 'idempotent' } },
        { 'Idempotency-Key': 'key-of-this-test' },
      );
    const first = await send('One text for one key.');
    const again = await send('One text for one key.');
    expect(again.body.job_id).toBe(first.body.job_id);
    const other = await send('Another text for the same key.');
    expect([other.status, other.body.code]).toEqual([409, 'idempotency_conflict']);
  });
});

describe('an end that was asked for', () => {
  it('deletes a document from every search at once', async () => {
    const { documentId } = await ingest(stack.url, {
      name: 'gone.txt',
      content: 'The password of the cellar is periwinkle.',
      fields: { collection: 'gone' },
    });
    expect(await search(stack.url, 'password of the cellar', { collection: 'gone' })).toHaveLength(1);
    const reply = await fetch(`${stack.url}/api/documents/${documentId}`, { method: 'DELETE' });
    expect(reply.status).toBe(200);
    for (let round = 0; round < 10; round += 1) {
      expect(await search(stack.url, 'password of the cellar', { collection: 'gone' })).toEqual([]);
    }
    expect((await getJson(`${stack.url}/api/documents/${documentId}`)).status).toBe(404);
    await expectCleanAudit();
  });

  it('cancels a document that is being embedded, and nothing of it is left', async () => {
    const { body } = await upload(stack.url, {
      name: 'cancel.txt',
      content: prose('cancel', 90),
      fields: { collection: 'cancelled', chunk_size: 64 },
    });
    await eventually(
      async () => {
        const job = (await getJson(`${stack.url}/api/jobs/${body.job_id}`)).body;
        return job.stage === 'embed' && job.progress > 20;
      },
      60_000,
      'embedding has begun',
    );
    const cancelled = await postJson(`${stack.url}/api/jobs/${body.job_id}/cancel`, {});
    expect(cancelled.status).toBe(202);
    const job = await jobEnd(stack.url, body.job_id);
    expect(job.status).toBe('cancelled');
    const { code, output } = await stack.vortex('audit', '--collection', 'cancelled', '--json');
    expect([code, JSON.parse(output).problems]).toEqual([0, []]);
    expect(
      (await getJson(`${stack.url}/api/documents/${body.document_id}/chunks`)).body.chunks ?? [],
    ).toEqual([]);

    const retried = await postJson(`${stack.url}/api/jobs/${body.job_id}/retry`, {});
    expect(retried.status).toBe(202);
    expect((await jobEnd(stack.url, body.job_id)).status).toBe('completed');
    const [hit] = await search(stack.url, 'the pump of cancel on day 3', { collection: 'cancelled' });
    expect(hit.document_id).toBe(body.document_id);
    const live = await redis.hmget(`job:${body.job_id}`, 'status', 'progress', 'stage');
    expect(live).toEqual(['completed', '100', null]);
  });
});

describe('what cannot be read', () => {
  it.each([
    [
      'a picture',
      'photo.png',
      Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex'),
      415,
      'unsupported_type',
    ],
    ['a PDF that is none', 'fake.pdf', Buffer.from('just words'), 422, 'corrupt_file'],
    ['more than may be sent', 'big.txt', Buffer.alloc(20_000_001, 'a'), 413, 'file_too_large'],
  ])('%s is refused at the door', async (_what, name, content, expected, code) => {
    const { status, body } = await upload(stack.url, { name, content: new Uint8Array(content) });
    expect([status, body.code]).toEqual([expected, code]);
  });

  it('fails with a code and advice, and other documents go on', async () => {
    const { body } = await upload(stack.url, { name: 'empty.txt', content: ' \n\n ' });
    const code = body.code ?? (await jobEnd(stack.url, body.job_id)).error_code;
    expect(code).toBe('empty_document');
    await ingest(stack.url, {
      name: 'fine.txt',
      content: 'All is well here.',
      fields: { collection: 'fine' },
    });
  });
});

describe('search', () => {
  it('filters by metadata inside the search, in every mode, and brings neighbours', async () => {
    const years = [2021, 2022, 2023, 2024];
    await Promise.all(
      years.map((year) =>
        ingest(stack.url, {
          name: `report-${year}.txt`,
          content: Array.from(
            { length: 6 },
            (_, part) => `Part ${part} of the harvest report of ${year}.`,
          ).join('\n\n'),
          fields: {
            collection: 'reports',
            chunk_size: 16,
            chunk_overlap: 0,
            metadata: { year, kind: 'harvest' },
          },
        }),
      ),
    );
    for (const mode of ['dense', 'sparse', 'hybrid']) {
      const hits = await search(stack.url, 'harvest report', {
        collection: 'reports',
        mode,
        top_k: 12,
        neighbours: 1,
        filter: {
          all: [{ field: 'year', op: 'gte', value: 2023 }, { not: { field: 'year', op: 'eq', value: 2024 } }],
        },
      });
      expect(hits.length, mode).toBeGreaterThan(1);
      expect(new Set(hits.map(({ metadata }) => metadata.year))).toEqual(new Set([2023]));
      for (const { neighbours, source_span: span } of hits) {
        for (const before of neighbours.before) expect(before.source_span[0]).toBeLessThan(span[0]);
      }
    }
    expect(
      await search(stack.url, 'harvest', {
        collection: 'reports',
        filter: { field: 'year', op: 'eq', value: 1999 },
      }),
    ).toEqual([]);
  });
});

describe('metrics', () => {
  /** Nothing that these tests do moves them: faults do, refusals, receivers of webhooks, questions that share an answer. */
  const still: MetricName[] = [
    'api_gateway_admission_rejected_total',
    'api_gateway_shared_queries_total',
    'api_gateway_stream_aborted_total',
    'rag_breaker_transitions_total',
    'rag_cache_errors_total',
    'rag_dead_letters_total',
    'rag_ingest_swept_total',
    'rag_redis_reconnects_total',
    'rag_replica_transitions_total',
    'rag_retrieval_empty_total',
    'rag_webhook_deliveries_total',
  ];

  it('show every row of the table where it belongs, and what happened has moved them', async () => {
    const pdf = join(import.meta.dirname, '../libs/documents/test/fixtures/libreoffice.pdf');
    const content = new Uint8Array(readFileSync(pdf));
    await ingest(stack.url, { name: 'measured.pdf', content, fields: { collection: 'measured' } });
    const question = { query: 'How long does a full tank of colza oil last?', collection: 'measured' };
    for (const more of [{}, {}, { stream: true, cache: 'bypass' }])
      await postJson(`${stack.url}/query`, { ...question, ...more });
    const pages = await readPages(stack);
    expectEveryRow(pages);
    const moved = movedRows(pages);
    expect(metricNames.filter((name) => !moved.has(name) && !still.includes(name))).toEqual([]);
    for (const { service, bytes } of pages) expect(bytes, service).toBeLessThan(200_000);
  });
});

it('leaves nothing behind: lists empty, no active job, a clean audit', async () => {
  await eventually(
    async () => (await redis.scard('jobs:active')) === 0 && (await redis.llen('queue:document_upload')) === 0,
    20_000,
    'no active job is left',
  );
  await expectCleanAudit();
});
