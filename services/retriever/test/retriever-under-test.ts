import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeVector, type Hits, type InputOf, type Outcome, stages } from '@vortex/contracts';
import { type ContentStore, createContentStore } from '@vortex/documents';
import { createMetrics, silentLogger } from '@vortex/observability';
import { openSqliteRegistry, type Registry } from '@vortex/registry';
import type { StageContext } from '@vortex/runtime';
import { MemoryCache } from '@vortex/testkit';
import { openVectorStore, type VectorStore } from '@vortex/vector-store';
import { afterEach, beforeEach } from 'vitest';
import { createPurge, type Purge } from '../src/purge.ts';
import { createRetrievalCache } from '../src/retrieval-cache.ts';
import { createRetrieveStage } from '../src/retrieve-stage.ts';
import { createStoreStage } from '../src/store-stage.ts';
import { createVisibleSearch, type VisibleSearch } from '../src/visible-search.ts';
import { createWriteGate, type WriteGate } from '../src/write-gate.ts';

export const model = 'test-model:4';
export const scope = { tenant: 'default', collection: 'books' };

/** Four directions are enough to say what is near what. */
const direction = (...values: [number, number, number, number]) => {
  const length = Math.hypot(...values);
  return encodeVector(Float32Array.from(values, (value) => value / length));
};
export const [north, east, northEast] = [direction(1, 0, 0, 0), direction(0, 1, 0, 0), direction(1, 1, 0, 0)];

export interface Begun {
  documentId: string;
  version: number;
}

/** The retriever's parts over a registry and a store of their own, fresh for each test. */
export interface RetrieverUnderTest {
  registry: Registry;
  store: VectorStore;
  visibleSearch: VisibleSearch;
  gate: WriteGate;
  contents: { original: ContentStore; text: ContentStore };
  purge: Purge;
  /** On in every test: none may notice it. */
  cache: MemoryCache;
}

export function retrieverForEach() {
  let folder: string;
  const parts = {} as RetrieverUnderTest;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'vortex-retriever-'));
    const registry = openSqliteRegistry({ file: join(folder, 'registry.db') });
    const store = await openVectorStore(
      { kind: 'lancedb', dir: join(folder, 'vectors') },
      { exactBelow: 4000, log: silentLogger },
    );
    const visibleSearch = createVisibleSearch({ registry, store });
    const gate = createWriteGate();
    const contents = {
      original: createContentStore(join(folder, 'originals')),
      text: createContentStore(join(folder, 'texts')),
    };
    const purge = createPurge({ registry, store, visibleSearch, gate, contents, log: silentLogger });
    Object.assign(parts, {
      ...{ registry, store, visibleSearch, gate, contents, purge },
      cache: new MemoryCache(),
    });
  });
  afterEach(async () => {
    await parts.purge.stop();
    await parts.store.close();
    await parts.registry.close();
    rmSync(folder, { recursive: true });
  });

  return {
    parts,

    async begin(
      externalId: string,
      jobId: string,
      more: { metadata?: Record<string, unknown>; contentHash?: string } = {},
    ): Promise<Begun> {
      const accepted = await parts.registry.acceptDocuments([
        {
          ...scope,
          externalId,
          filename: null,
          title: externalId,
          mediaType: 'text/plain',
          metadata: {},
          contentHash: jobId,
          settingsHash: '',
          bytes: 1,
          ifExists: 'replace',
          ...more,
          job: {
            id: jobId,
            type: 'document_upload',
            payload: {},
            maxRetries: 1,
            webhookUrl: null,
            traceparent: null,
          },
        },
      ]);
      const only = accepted.outcome === 'conflict' ? undefined : accepted.documents[0];
      if (only?.outcome !== 'accepted') throw new Error(`not begun: ${only?.outcome}`);
      return only;
    },

    publish({ documentId, version }: Begun, textHash = 'x') {
      const finished = { tenant: 'default', documentId, version, textHash, chunks: 1, tokens: 1, result: {} };
      return parts.registry.publishVersion(finished);
    },

    async storeChunks(
      begun: Begun,
      vectors: string[],
      { fingerprint = model, texts = [] as string[] }: { fingerprint?: string; texts?: string[] } = {},
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
          text: texts[ordinal] ?? `Text ${ordinal} of version ${begun.version}.`,
          source_span: [ordinal * 10, ordinal * 10 + 10],
          page: null,
          heading_path: ['Chapter'],
          context: '',
          tokens: 8,
          embedding,
        })),
      });
      return createStoreStage(parts)(input, contextOf(input));
    },

    async retrieve(
      embedding: string | undefined,
      more: Record<string, unknown> = {},
      { promptTokens = 500 } = {},
    ): Promise<Outcome<'retrieve'>> {
      const input = stages.retrieve.input.parse({
        id: 'qry_1',
        query: 'Where?',
        collection: 'books',
        ...(embedding !== undefined && { embedding, embedding_model: model }),
        ...more,
      });
      const settings = { topK: 3, relevanceFloor: 0.3, promptTokens, mode: 'hybrid' as const };
      const metrics = createMetrics('test');
      const stage = createRetrieveStage({
        ...parts,
        retrieval: createRetrievalCache({ ...parts, metrics, ttlMs: 60_000 }),
        metrics,
        settings,
        fingerprint: 'retrieval-1',
      });
      return stage(
        input,
        contextOf(input, (tell) => void this.explained.push(tell())),
      );
    },
    /** What retrievals wrote down of themselves. */
    explained: [] as object[],

    async hits(embedding: string | undefined, more: Record<string, unknown> = {}): Promise<Hits['hits']> {
      const outcome = await this.retrieve(embedding, { want: 'hits', top_k: 10, ...more });
      if (outcome.kind !== 'done' || !('hits' in outcome.result)) throw new Error(`no hits: ${outcome.kind}`);
      return outcome.result.hits;
    },

    async textsFound(embedding: string | undefined, more: Record<string, unknown> = {}): Promise<string[]> {
      return (await this.hits(embedding, more)).map(({ text }) => text);
    },
  };
}

function contextOf(
  job: { id: string; tenant: string },
  explain: StageContext['explain'] = () => {},
): StageContext {
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
    span: null,
    trace: {},
    now: () => 0,
    emit: () => {},
    timing: () => {},
    explain,
  };
}
