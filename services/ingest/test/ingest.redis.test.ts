import { completionOf, ingestResult, StageFailure, stages } from '@vortex/contracts';
import { until } from '@vortex/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gate, groupSize, type IngestBench, openIngestBench, sentences, tenant } from './ingest-bench.ts';

/** The light way in, and what both ways have in common: how a document becomes visible, and what is refused. */
let bench: IngestBench;
let jobs = 0;
beforeEach(async () => {
  bench = await openIngestBench();
});
afterEach(() => bench.close());

const ingestCompletion = completionOf(ingestResult);

async function ingest(
  document: { document_id: string; content: string; [field: string]: unknown },
  id = `job_${jobs++}`,
) {
  const text = await bench.submitter.submit({
    list: stages.ingest.list,
    lane: 'low',
    id,
    deadlineAt: Date.now() + 600_000,
    envelope: document,
    cap: 1000,
    track: { type: 'ingest', tenant: 'default' },
  });
  return ingestCompletion.parse(JSON.parse(text));
}

async function completed(...asked: Parameters<typeof ingest>) {
  const completion = await ingest(...asked);
  if (completion.status !== 'completed') throw new Error(JSON.stringify(completion));
  return completion;
}

describe('a document', () => {
  it('becomes visible as a whole: its chunks are slices of the stored text, its record is complete', async () => {
    const { metrics } = await bench.startWorker();
    const content = `\ufeff# Handbook\n\n${sentences(30)}\n\n## Part\n\n${sentences(20)}\n`;
    const result = await completed({ document_id: 'a.md', content, user_id: 'u1' }, 'job_whole');
    expect(result).toMatchObject({ external_id: 'a.md', collection: 'default' });
    const document = await bench.registry.getDocument(tenant, result.document_id);
    expect(document).toMatchObject({
      externalId: 'a.md',
      title: 'Handbook',
      mediaType: 'text/markdown',
      state: 'ready',
      version: 1,
      chunks: result.chunk_count,
      bytes: Buffer.byteLength(content),
      metadata: { user_id: 'u1' },
    });
    expect(await bench.originals.get(String(document?.contentHash))).toEqual(Buffer.from(content));
    const text = (await bench.texts.get(String(document?.textHash))).toString();
    expect(text).toBe(content.slice(1));
    const stored = bench.rowsOf(result.document_id, 1);
    expect(stored).toHaveLength(result.chunk_count);
    expect(stored.length).toBeGreaterThan(groupSize * 2);
    for (const row of stored) expect(text.slice(...row.source_span)).toBe(row.text);
    expect(await bench.job('job_whole')).toMatchObject({
      type: 'ingest',
      status: 'completed',
      progress: 100,
      result: {
        document_id: result.document_id,
        external_id: 'a.md',
        collection: 'default',
        chunk_count: result.chunk_count,
        processing_time_ms: expect.any(Number),
      },
    });
    expect(await bench.spooled()).toEqual([]);
    const { body } = await metrics.render();
    expect(body).toMatch(/rag_ingest_documents_total\{.*type="text\/markdown",outcome="published".*\} 1/);
    expect(body).toMatch(/rag_ingest_freshness_seconds_count\{.*type="text\/markdown".*\} 1/);
  });

  it('pushed by hand as the raw body, without an id, gets in too', async () => {
    await bench.startWorker();
    const body = { user_id: 'u1', document_id: 'by-hand', content: 'Just a sentence.' };
    await bench.redis.client.rpush('ingestion_queue', JSON.stringify(body));
    const document = await until('the document is ready', async () => {
      const found = await bench.registry.findDocument(tenant, 'default', 'by-hand');
      return found?.state === 'ready' ? found : null;
    });
    expect(document).toMatchObject({ title: 'by-hand', mediaType: 'text/plain', chunks: 1 });
  });

  it('again unchanged is no work; changed, it replaces its chunks in one step', async () => {
    await bench.startWorker();
    const first = await completed({
      document_id: 'a',
      content: sentences(20),
      collection: 'books',
      title: 'T',
    });
    const work = bench.embedded.length;
    const again = await completed({
      document_id: 'a',
      content: sentences(20),
      collection: 'books',
      title: 'T',
    });
    expect(again).toMatchObject({ document_id: first.document_id, chunk_count: first.chunk_count });
    expect(bench.embedded).toHaveLength(work);
    const content = sentences(7, 'section');
    const changed = await completed({ document_id: 'a', content, collection: 'books', title: 'T' });
    expect(changed.document_id).toBe(first.document_id);
    expect(await bench.registry.visibleVersions(tenant, 'books')).toMatchObject([
      { documentId: first.document_id, version: 2, title: 'T', chunks: changed.chunk_count },
    ]);
    expect(bench.rowsOf(first.document_id, 2)).toHaveLength(changed.chunk_count);
    expect(await bench.registry.staleVersions()).toMatchObject([
      { documentId: first.document_id, version: 1 },
    ]);
    const retitled = await completed({ document_id: 'a', content, collection: 'books', title: 'U' });
    expect((await bench.registry.getDocument(tenant, retitled.document_id))?.title).toBe('U');
  });

  it('the same once more while the first is being built ends when the document can be found, with one set of chunks', async () => {
    await bench.startWorker();
    const held = gate();
    bench.hooks.beforeEmbed = () => held.pass();
    const first = completed({ document_id: 'a', content: sentences(20) }, 'job_first');
    await until('a group is in the encoder', () => held.arrived() > 0);
    const second = completed({ document_id: 'a', content: sentences(20) }, 'job_second');
    await until(
      'the second waits',
      async () => (await bench.redis.client.zcard('ingestion_queue:retry')) === 1,
    );
    held.open();
    const [one, other] = await Promise.all([first, second]);
    expect(other).toMatchObject({ document_id: one.document_id, chunk_count: one.chunk_count });
    expect(bench.embedded).toHaveLength(one.chunk_count);
  });

  it('the same id in another collection is another document', async () => {
    await bench.startWorker();
    const one = await completed({ document_id: 'a', content: 'One.', collection: 'one' });
    const two = await completed({ document_id: 'a', content: 'One.', collection: 'two' });
    expect(two.document_id).not.toBe(one.document_id);
  });

  it('chunked as its collection wants it', async () => {
    await bench.startWorker();
    const coarse = await completed({ document_id: 'a', content: sentences(40) });
    await bench.registry.createCollection({ tenant, name: 'fine', chunkSize: 16, chunkOverlap: 0 });
    const fine = await completed({ document_id: 'a', content: sentences(40), collection: 'fine' });
    expect(fine.chunk_count).toBeGreaterThan(coarse.chunk_count);
  });
});

describe('what is refused', () => {
  it('a document without text', async () => {
    await bench.startWorker();
    const completion = await ingest({ document_id: 'empty', content: ' \n\t\ufeff ' });
    expect(completion).toMatchObject({
      status: 'failed',
      error: { code: 'empty_document', retryable: false },
    });
    expect(await bench.registry.findDocument(tenant, 'default', 'empty')).toBeNull();
  });

  it('a collection that was built with another model, before any work', async () => {
    await bench.startWorker({ model: 'another/2/model' });
    const model = { embeddingModel: 'tiny/2/test', dimension: 2 };
    await bench.registry.createCollection({ tenant, name: 'books', model });
    const completion = await ingest({ document_id: 'a', content: 'Text.', collection: 'books' });
    expect(completion).toMatchObject({ status: 'failed', error: { code: 'embedding_mismatch' } });
    expect(await bench.registry.findDocument(tenant, 'books', 'a')).toBeNull();
    const uploaded = await bench.ended(
      await bench.upload({ name: 'b', content: 'Text.', collection: 'books' }),
    );
    expect(uploaded).toMatchObject({ status: 'failed', errorCode: 'embedding_mismatch', retryCount: 0 });
    expect(bench.parsed()).toEqual([]);
    expect(bench.embedded).toEqual([]);
  });

  it('a group that fails for good fails the document, with its reason; what was visible stays', async () => {
    const { metrics } = await bench.startWorker();
    const first = await completed({ document_id: 'a', content: sentences(20) });
    bench.hooks.beforeEmbed = async ({ chunks }) => {
      if (chunks.some((chunk) => chunk.ordinal > 4))
        throw new StageFailure('embedding_mismatch', 'another model');
    };
    const completion = await ingest({ document_id: 'a', content: sentences(40, 'section') });
    expect(completion).toMatchObject({ status: 'failed', error: { code: 'embedding_mismatch' } });
    expect(await bench.registry.getDocument(tenant, first.document_id)).toMatchObject({
      state: 'ready',
      version: 1,
      lastError: { code: 'embedding_mismatch' },
    });
    expect(await bench.registry.staleVersions()).toMatchObject([
      { documentId: first.document_id, version: 2 },
    ]);
    expect(await bench.spooled()).toEqual([]);
    expect((await metrics.render()).body).toMatch(/rag_ingest_documents_total\{.*outcome="rejected".*\} 1/);
  });

  it('an upload whose original is gone, with advice', async () => {
    const id = await bench.upload({ name: 'lost.txt', content: 'Here today.' });
    const { payload } = await bench.job(id);
    await bench.originals.discard(String(payload.content_hash), async () => false);
    await bench.startWorker();
    expect(await bench.ended(id)).toMatchObject({
      status: 'failed',
      errorCode: 'original_missing',
      error: expect.stringContaining('upload the document again'),
      retryCount: 0,
    });
  });

  it('a document deleted while it is ingested does not come back', async () => {
    await bench.startWorker();
    const held = gate();
    bench.hooks.beforeEmbed = () => held.pass();
    const ending = ingest({ document_id: 'a', content: sentences(40) }, 'job_deleted');
    await until('a group is in the encoder', () => held.arrived() > 0);
    const document = await bench.registry.findDocument(tenant, 'default', 'a');
    await bench.registry.deleteDocument(tenant, String(document?.documentId));
    held.open();
    expect(await ending).toMatchObject({ error: { code: 'cancelled' } });
    expect(await bench.registry.listDocuments(tenant)).toEqual([]);
    await bench.purge();
    expect(bench.rows.size).toBe(0);
    expect(await bench.job('job_deleted')).toMatchObject({ status: 'cancelled' });
  });
});
