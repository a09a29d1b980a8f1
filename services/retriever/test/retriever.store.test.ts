import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeVector, type InputOf, stages } from '@vortex/contracts';
import { createMetrics, silentLogger } from '@vortex/observability';
import { openSqliteRegistry, type Registry } from '@vortex/registry';
import type { StageContext } from '@vortex/runtime';
import { openVectorStore, type VectorStore } from '@vortex/vector-store';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createPurge } from '../src/purge.ts';
import { createRetrieveStage } from '../src/retrieve-stage.ts';
import { createStoreStage } from '../src/store-stage.ts';
import { createVisibleSearch, type VisibleSearch } from '../src/visible-search.ts';

const model = 'test-model:4';
let folder: string;
let registry: Registry;
let store: VectorStore;
let visibleSearch: VisibleSearch;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'vortex-retriever-'));
  registry = openSqliteRegistry({ file: join(folder, 'registry.db') });
  store = await openVectorStore(
    { kind: 'lancedb', dir: join(folder, 'vectors') },
    { exactBelow: 4000, log: silentLogger },
  );
  visibleSearch = createVisibleSearch({ registry, store });
});
afterEach(async () => {
  await store.close();
  await registry.close();
  rmSync(folder, { recursive: true });
});

/** Four directions are enough to say what is near what. */
const direction = (...values: [number, number, number, number]) => {
  const length = Math.hypot(...values);
  return encodeVector(Float32Array.from(values, (value) => value / length));
};
const [north, east, northEast] = [direction(1, 0, 0, 0), direction(0, 1, 0, 0), direction(1, 1, 0, 0)];

async function begin(externalId: string, jobId: string) {
  await registry.ensureCollection({ tenant: 'default', name: 'books' });
  const begun = await registry.beginVersion({
    tenant: 'default',
    collection: 'books',
    externalId,
    title: externalId,
    mediaType: 'text/plain',
    jobId,
    contentHash: jobId,
    settingsHash: '',
  });
  if (begun.outcome !== 'begun') throw new Error(`not begun: ${begun.outcome}`);
  return begun;
}
const publish = ({ documentId, version }: { documentId: string; version: number }) =>
  registry.publishVersion({
    tenant: 'default',
    documentId,
    version,
    textHash: 'x',
    bytes: 1,
    chunks: 1,
    tokens: 1,
  });

function contextOf(job: { id: string; tenant: string }): StageContext {
  return {
    job: {
      v: 1,
      attempt: 1,
      redelivered: 0,
      track: false,
      timings_ms: {},
      deadline_at: Number.MAX_SAFE_INTEGER,
      ...job,
    },
    signal: new AbortController().signal,
    log: silentLogger,
    now: () => 0,
    emit: () => {},
    timing: () => {},
  };
}

async function storeChunks(
  begun: { documentId: string; version: number },
  vectors: string[],
  fingerprint = model,
) {
  const input: InputOf<'store'> = stages.store.input.parse({
    id: 'job_1:g0',
    collection: 'books',
    document_id: begun.documentId,
    version: begun.version,
    title: 'A book',
    embedding_model: fingerprint,
    chunks: vectors.map((embedding, ordinal) => ({
      chunk_id: `chk_${begun.documentId}_${begun.version}_${ordinal}`,
      ordinal,
      text: `Text ${ordinal} of version ${begun.version}.`,
      source_span: [ordinal * 10, ordinal * 10 + 10],
      page: null,
      heading_path: ['Chapter'],
      context: '',
      tokens: 8,
      embedding,
    })),
  });
  return createStoreStage({ registry, store, visibleSearch })(input, contextOf(input));
}

async function retrieve(embedding: string, more: Record<string, unknown> = {}) {
  const input = stages.retrieve.input.parse({
    id: 'qry_1',
    query: 'Where?',
    collection: 'books',
    embedding,
    embedding_model: model,
    ...more,
  });
  const settings = { topK: 3, relevanceFloor: 0.3, promptTokens: 500 };
  return createRetrieveStage({ registry, visibleSearch, metrics: createMetrics('test'), settings })(
    input,
    contextOf(input),
  );
}

async function versionsFound(embedding: string): Promise<unknown[]> {
  const outcome = await retrieve(embedding, { want: 'hits', top_k: 10 });
  if (outcome.kind !== 'done' || !('hits' in outcome.result)) throw new Error(`no hits: ${outcome.kind}`);
  return outcome.result.hits.map(({ text }) => text);
}

describe('retrieve', () => {
  it('forwards the question with its passages, best first', async () => {
    const begun = await begin('atlas', 'j1');
    await storeChunks(begun, [east, north, northEast]);
    await publish(begun);
    const outcome = await retrieve(north);
    expect(outcome).toMatchObject({
      kind: 'forward',
      to: 'generate',
      payload: { collection: 'books', degraded: [] },
    });
    if (outcome.kind !== 'forward') return;
    expect(outcome.payload.sources.map(({ excerpt }) => excerpt)).toEqual([
      'Text 1 of version 1.',
      'Text 2 of version 1.',
      'Text 0 of version 1.',
    ]);
    expect(outcome.payload.sources[0]?.score).toBeCloseTo(1, 5);
    expect(outcome.payload.messages[1]?.content).toContain('Question: Where?');
  });

  it('refuses without a model call when the best hit is below the floor, or nothing is stored', async () => {
    await registry.ensureCollection({ tenant: 'default', name: 'books' });
    expect(await retrieve(north)).toMatchObject({
      kind: 'done',
      result: { answered: false, refusal: { best: null } },
    });
    const begun = await begin('atlas', 'j1');
    await storeChunks(begun, [east]);
    await publish(begun);
    const refused = await retrieve(north);
    expect(refused).toMatchObject({
      kind: 'done',
      result: { answered: false, worker: null, refusal: { reason: 'no_relevant_context', floor: 0.3 } },
    });
  });

  it('rejects an unknown collection, another model, and a vector that is none', async () => {
    expect(await retrieve(north)).toMatchObject({ kind: 'reject', code: 'collection_not_found' });
    const begun = await begin('atlas', 'j1');
    await storeChunks(begun, [north]);
    await publish(begun);
    expect(await retrieve(north, { embedding_model: 'other' })).toMatchObject({
      kind: 'reject',
      code: 'embedding_mismatch',
    });
    expect(await retrieve('AAAA')).toMatchObject({ kind: 'reject', code: 'invalid_envelope' });
    expect(await retrieve(encodeVector(new Float32Array(8)))).toMatchObject({
      kind: 'reject',
      code: 'embedding_mismatch',
    });
  });
});

describe('versions', () => {
  it('are seen one at a time: not before they are published, never beside their successor', async () => {
    const first = await begin('atlas', 'j1');
    await storeChunks(first, [north, east]);
    expect(await versionsFound(north)).toEqual([]);
    await publish(first);
    expect(await versionsFound(north)).toEqual(['Text 0 of version 1.', 'Text 1 of version 1.']);

    const second = await begin('atlas', 'j2');
    await storeChunks(second, [north, east]);
    expect(await versionsFound(north)).toEqual(['Text 0 of version 1.', 'Text 1 of version 1.']);
    await publish(second);
    expect(await versionsFound(north)).toEqual(['Text 0 of version 2.', 'Text 1 of version 2.']);
  });

  it('that are hidden leave no gap in what is found', async () => {
    const visible = await begin('small', 'j1');
    await storeChunks(visible, [northEast]);
    await publish(visible);
    const hidden = await begin('large', 'j2');
    await storeChunks(hidden, Array(40).fill(north));
    const blind = createVisibleSearch({ registry, store });
    const collection = await registry.resolveCollection('default', 'books');
    if (collection === null) throw new Error('books is missing');
    const hits = await blind.search(collection, Float32Array.from([1, 0, 0, 0]), 3);
    expect(hits.map(({ chunk }) => chunk.document_id)).toEqual([visible.documentId]);
  });

  it('of a deleted document are gone from the moment of the reply, and purged after', async () => {
    const begun = await begin('atlas', 'j1');
    await storeChunks(begun, [north]);
    await publish(begun);
    expect(await versionsFound(north)).toHaveLength(1);
    await registry.deleteDocument('default', begun.documentId);
    expect(await versionsFound(north)).toEqual([]);
    const purge = createPurge({ registry, store, visibleSearch, log: silentLogger });
    expect(await purge.runOnce()).toBe(1);
    expect(await store.count({ tenant: 'default', collection: 'books' })).toBe(0);
    expect(await purge.runOnce()).toBe(0);
  });
});

describe('store', () => {
  it('drops a group that comes after its version was superseded', async () => {
    const first = await begin('atlas', 'j1');
    const second = await begin('atlas', 'j2');
    await storeChunks(second, [east]);
    await publish(second);
    await registry.publishVersion({
      tenant: 'default',
      documentId: first.documentId,
      version: first.version,
      textHash: 'x',
      bytes: 1,
      chunks: 1,
      tokens: 1,
    });
    expect(await storeChunks(first, [north])).toMatchObject({ kind: 'done', result: { stored: 0 } });
  });

  it('refuses vectors of another model', async () => {
    const begun = await begin('atlas', 'j1');
    await storeChunks(begun, [north]);
    await expect(storeChunks(begun, [east], 'other-model:4')).rejects.toMatchObject({
      code: 'embedding_mismatch',
      mayRetry: false,
    });
  });
});
