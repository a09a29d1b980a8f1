import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Chunk,
  completionOf,
  encodeVector,
  ingestResult,
  type Outcome,
  StageFailure,
  stages,
} from '@vortex/contracts';
import { createTextStore, type TextStore } from '@vortex/documents';
import { createMetrics, silentLogger } from '@vortex/observability';
import { createSubmitter, type Submitter } from '@vortex/queue';
import { openSqliteRegistry, type Registry } from '@vortex/registry';
import { type RunningStages, runStages } from '@vortex/runtime';
import { openTestRedis, type TestRedis, until } from '@vortex/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Chunker, createProcessChunker } from '../src/process-chunker.ts';
import { createGroupSender } from '../src/send-groups.ts';
import { createIngestStage } from '../src/stage.ts';
import { writeTinyTokenizer } from './tiny-tokenizer.ts';

/**
 * The ingest stage on a real queue, registry, text store and chunker. Encoder and store are two small stages
 * of the test: the encoder gives every chunk the same vector, the store is a map that keeps the store
 * stage's promises (only versions that are wanted, the same row twice is one row). One piece, because every test needs
 * all of them.
 */
const tenant = 'default';
const fingerprint = 'tiny/2/test';
const groupSize = 4;

let redis: TestRedis;
let folder: string;
let registry: Registry;
let texts: TextStore;
let chunker: Chunker;
let outsider: Submitter;
let embedded: string[];
let rows: Map<string, Chunk & { version: number; document_id: string }>;
/** What the test's encoder does before it answers; replaced by tests. */
let beforeEmbed: (chunks: Chunk[]) => Promise<void>;
let started: { stop(): Promise<void> }[];
let jobs = 0;

const ingestCompletion = completionOf(ingestResult);

beforeEach(async () => {
  redis = await openTestRedis();
  folder = await mkdtemp(join(tmpdir(), 'vortex-ingest-'));
  registry = openSqliteRegistry({ file: join(folder, 'registry.db') });
  texts = createTextStore(join(folder, 'texts'));
  await writeTinyTokenizer(join(folder, 'models'));
  chunker = createProcessChunker({ model: 'all-minilm-l6-v2', modelsDir: join(folder, 'models') });
  outsider = createSubmitter({ redis: { url: redis.url }, name: `ingest-test-${process.pid}-${jobs++}` });
  await outsider.start();
  await until('the submitter is connected', () => outsider.isReady());
  embedded = [];
  rows = new Map();
  beforeEmbed = async () => undefined;
  started = [];
  await startEncoderAndStore();
});

afterEach(async () => {
  await Promise.all(started.map((running) => running.stop()));
  await outsider.close();
  await chunker.close();
  await registry.close();
  await redis.close();
  await rm(folder, { recursive: true });
});

const common = () => ({
  workerName: 'test',
  redis: { url: redis.url },
  log: silentLogger,
  drainBudgetMs: 0,
  beatMs: 200,
});

async function startEncoderAndStore(): Promise<void> {
  started.push(
    await runStages({
      ...common(),
      service: 'encoder-and-store',
      metrics: createMetrics('encoder-and-store'),
      lanes: {
        embed: {
          slots: 4,
          async handler({ collection, document_id, version, title, chunks }): Promise<Outcome<'embed'>> {
            await beforeEmbed(chunks);
            embedded.push(...chunks.map((chunk) => `${version}:${chunk.ordinal}`));
            const embedding = encodeVector(Float32Array.of(1, 0));
            const payload = { collection, document_id, version, title, embedding_model: fingerprint };
            const withVectors = chunks.map((chunk) => ({ ...chunk, embedding }));
            return { kind: 'forward', to: 'store', payload: { ...payload, chunks: withVectors } };
          },
        },
        store: {
          slots: 4,
          async handler({ document_id, version, chunks }): Promise<Outcome<'store'>> {
            const state = await registry.versionState(tenant, document_id, version);
            const wanted = state === 'building' || state === 'visible';
            if (wanted)
              for (const chunk of chunks) rows.set(chunk.chunk_id, { ...chunk, version, document_id });
            return { kind: 'done', result: { stored: wanted ? chunks.length : 0, truncated: 0 } };
          },
        },
      },
    }),
  );
}

async function startIngest(model = fingerprint): Promise<RunningStages> {
  const submitter = createSubmitter({
    redis: { url: redis.url },
    name: `ingest-worker-${process.pid}-${jobs++}`,
  });
  await submitter.start();
  const metrics = createMetrics('ingest');
  const running = await runStages({
    ...common(),
    service: 'ingest',
    metrics,
    lanes: {
      ingest: {
        slots: 2,
        handler: createIngestStage({
          ...{ registry, texts, chunker, metrics },
          groups: createGroupSender({ submitter, groupSize, groupsInFlight: 2 }),
          model: { fingerprint: model, dimension: 2, maxTokens: 64 },
          settings: { chunkSize: 32, chunkOverlap: 4, groupSize },
        }),
      },
    },
  });
  started.push({
    async stop() {
      await running.stop();
      await submitter.close();
    },
  });
  return running;
}

async function ingest(
  document: { document_id: string; content: string; [field: string]: unknown },
  id = `job_${jobs++}`,
) {
  const text = await outsider.submit({
    list: stages.ingest.list,
    lane: 'low',
    id,
    deadlineAt: Date.now() + 60_000,
    envelope: document,
    cap: 1000,
  });
  return ingestCompletion.parse(JSON.parse(text));
}

async function completed(...asked: Parameters<typeof ingest>) {
  const completion = await ingest(...asked);
  if (completion.status !== 'completed') throw new Error(JSON.stringify(completion));
  return completion;
}

const sentences = (count: number, word = 'queue') =>
  Array.from({ length: count }, (_, index) => `The ${word} holds jobs, sentence number ${index}.`).join(' ');
const rowsOf = (documentId: string, version: number) =>
  [...rows.values()].filter((row) => row.document_id === documentId && row.version === version);

describe('a document', () => {
  it('becomes visible as a whole: its chunks are slices of the stored text, its record is complete', async () => {
    await startIngest();
    const content = `\ufeff# Handbook\n\n${sentences(30)}\n\n## Part\n\n${sentences(20)}\n`;
    const result = await completed({ document_id: 'a.md', content, user_id: 'u1' });
    expect(result).toMatchObject({ external_id: 'a.md', collection: 'default' });
    const document = await registry.getDocument(tenant, result.document_id);
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
    const text = await texts.get(String(document?.textHash));
    expect(text).toBe(content.slice(1));
    const stored = rowsOf(result.document_id, 1);
    expect(stored).toHaveLength(result.chunk_count);
    expect(stored.length).toBeGreaterThan(groupSize * 2);
    for (const row of stored) expect(text.slice(...row.source_span)).toBe(row.text);
  });

  it('pushed by hand as the raw body, without an id, gets in too', async () => {
    await startIngest();
    const body = { user_id: 'u1', document_id: 'by-hand', content: 'Just a sentence.' };
    await redis.client.rpush('ingestion_queue', JSON.stringify(body));
    const document = await until('the document is ready', async () => {
      const found = await registry.findDocument(tenant, 'default', 'by-hand');
      return found?.state === 'ready' ? found : null;
    });
    expect(document).toMatchObject({ title: 'by-hand', mediaType: 'text/plain', chunks: 1 });
  });

  it('again unchanged is no work; changed, it replaces its chunks in one step', async () => {
    await startIngest();
    const first = await completed({
      document_id: 'a',
      content: sentences(20),
      collection: 'books',
      title: 'T',
    });
    const work = embedded.length;
    const again = await completed({
      document_id: 'a',
      content: sentences(20),
      collection: 'books',
      title: 'T',
    });
    expect(again).toMatchObject({ document_id: first.document_id, chunk_count: first.chunk_count });
    expect(embedded).toHaveLength(work);
    const changed = await completed({
      document_id: 'a',
      content: sentences(7, 'section'),
      collection: 'books',
      title: 'T',
    });
    expect(changed.document_id).toBe(first.document_id);
    expect(await registry.visibleVersions(tenant, 'books')).toEqual([
      { documentId: first.document_id, version: 2, title: 'T', chunks: changed.chunk_count },
    ]);
    expect(rowsOf(first.document_id, 2)).toHaveLength(changed.chunk_count);
    expect(await registry.staleVersions()).toMatchObject([{ documentId: first.document_id, version: 1 }]);
    const retitled = await completed({
      document_id: 'a',
      content: sentences(7, 'section'),
      collection: 'books',
      title: 'U',
    });
    expect((await registry.getDocument(tenant, retitled.document_id))?.title).toBe('U');
  });

  it('the same id in another collection is another document', async () => {
    await startIngest();
    const one = await completed({ document_id: 'a', content: 'One.', collection: 'one' });
    const two = await completed({ document_id: 'a', content: 'One.', collection: 'two' });
    expect(two.document_id).not.toBe(one.document_id);
  });
});

describe('what is refused', () => {
  it('a document without text', async () => {
    await startIngest();
    const completion = await ingest({ document_id: 'empty', content: ' \n\t\ufeff ' });
    expect(completion).toMatchObject({
      status: 'failed',
      error: { code: 'empty_document', retryable: false },
    });
    expect(await registry.findDocument(tenant, 'default', 'empty')).toBeNull();
  });

  it('a collection that was built with another model, before any work', async () => {
    await startIngest('another/2/model');
    await registry.ensureCollection({ tenant, name: 'books' });
    await registry.bindModel({ tenant, collection: 'books', embeddingModel: fingerprint, dimension: 2 });
    const completion = await ingest({ document_id: 'a', content: 'Text.', collection: 'books' });
    expect(completion).toMatchObject({ status: 'failed', error: { code: 'embedding_mismatch' } });
    expect(embedded).toEqual([]);
    expect(await registry.findDocument(tenant, 'books', 'a')).toBeNull();
  });

  it('a group that fails for good fails the document, with its reason; what was visible stays', async () => {
    await startIngest();
    const first = await completed({ document_id: 'a', content: sentences(20) });
    beforeEmbed = async (chunks) => {
      if (chunks.some((chunk) => chunk.ordinal > 4))
        throw new StageFailure('embedding_mismatch', 'another model');
    };
    const completion = await ingest({ document_id: 'a', content: sentences(40, 'section') });
    expect(completion).toMatchObject({ status: 'failed', error: { code: 'embedding_mismatch' } });
    expect(await registry.getDocument(tenant, first.document_id)).toMatchObject({
      state: 'ready',
      version: 1,
      lastError: { code: 'embedding_mismatch' },
    });
    expect(await registry.staleVersions()).toMatchObject([{ documentId: first.document_id, version: 2 }]);
  });

  it('a document deleted while it is ingested does not come back', async () => {
    await startIngest();
    let arrived = 0;
    let release = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    beforeEmbed = async () => {
      arrived += 1;
      await released;
    };
    const ending = ingest({ document_id: 'a', content: sentences(40) });
    await until('a group is in the encoder', () => arrived > 0);
    const document = await registry.findDocument(tenant, 'default', 'a');
    await registry.deleteDocument(tenant, String(document?.documentId));
    release();
    expect(await ending).toMatchObject({ error: { code: 'cancelled' } });
    expect(await registry.listDocuments(tenant)).toEqual([]);
  });
});

describe('faults', () => {
  it('an encoder that fails once costs a retry, not the document', async () => {
    await startIngest();
    let failures = 0;
    beforeEmbed = async () => {
      failures += 1;
      if (failures === 1) throw new Error('out of memory, for a moment');
    };
    const result = await completed({ document_id: 'a', content: sentences(20) });
    expect(rowsOf(result.document_id, 1)).toHaveLength(result.chunk_count);
  });

  it('a worker that takes over sends only the groups that are missing, in the version begun before', async () => {
    const first = await startIngest();
    let open = 3;
    let release = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    beforeEmbed = async () => {
      open -= 1;
      if (open < 0) await released;
    };
    const ending = ingest({ document_id: 'a', content: sentences(60) });
    const document = await until('three groups are noted', async () => {
      const found = await registry.findDocument(tenant, 'default', 'a');
      const noted = await registry.storedGroups(tenant, String(found?.documentId), 1);
      return noted.length === 3 ? found : null;
    });
    const doneBefore = new Set(embedded);
    await first.stop();
    await startIngest();
    release();
    expect(await ending).toMatchObject({ status: 'completed', document_id: document.documentId });
    expect(await registry.getDocument(tenant, document.documentId)).toMatchObject({
      state: 'ready',
      version: 1,
    });
    expect(embedded.filter((place) => doneBefore.has(place))).toHaveLength(doneBefore.size);
    const chunks = (await registry.getDocument(tenant, document.documentId))?.chunks;
    expect(rowsOf(document.documentId, 1)).toHaveLength(Number(chunks));
  });

  it('Redis wiped in the middle: the document still gets in', async () => {
    await startIngest();
    let wiped = false;
    beforeEmbed = async (chunks) => {
      if (wiped || chunks[0]?.ordinal !== groupSize * 2) return;
      wiped = true;
      await redis.client.flushdb();
    };
    const result = await completed({ document_id: 'a', content: sentences(60) });
    expect(wiped).toBe(true);
    expect(await registry.getDocument(tenant, result.document_id)).toMatchObject({ state: 'ready' });
    expect(new Set(rowsOf(result.document_id, 1).map((row) => row.ordinal)).size).toBe(result.chunk_count);
  });
});
