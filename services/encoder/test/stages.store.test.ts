import { type Cache, noCache } from '@vortex/cache';
import { type InputOf, retrieveInput, type StageName, stages, storeInput } from '@vortex/contracts';
import { createThreadEmbedder, type Embedder } from '@vortex/embedding';
import { createMetrics, silentLogger } from '@vortex/observability';
import type { StageContext } from '@vortex/runtime';
import { MemoryCache } from '@vortex/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testModel } from '../../../libs/embedding/test/test-models.ts';
import { createEmbedStage } from '../src/embed-stage.ts';
import { createEmbeddingCache } from '../src/embedding-cache.ts';
import { createEncodeStage } from '../src/encode-stage.ts';

// Both stages on the real model: their outcome must be what the next stage's schema takes.
const metrics = createMetrics('encoder');
let embedder: Embedder;
beforeAll(async () => {
  embedder = await createThreadEmbedder({ files: await testModel('all-minilm-l6-v2'), threads: 1 });
}, 240_000);
afterAll(() => embedder.close());

const header = { id: 'job_1', tenant: 'default', deadline_at: 4_000_000_000_000 };
const context = (signal = new AbortController().signal): StageContext => ({
  job: { ...header, v: 1, attempt: 1, redelivered: 0, track: false, timings_ms: {} },
  signal,
  log: silentLogger,
  span: null,
  trace: {},
  now: Date.now,
  emit: () => {},
  timing: () => {},
  explain: () => {},
});
const parsed = <Stage extends StageName>(stage: Stage, fields: object): InputOf<Stage> =>
  stages[stage].input.parse({ ...header, ...fields }) as InputOf<Stage>;

describe('encode', () => {
  const stageOn = (some: Embedder, cache: Cache = noCache) =>
    createEncodeStage({
      embeddings: createEmbeddingCache({ embedder: some, cache, metrics, ttlMs: 60_000 }),
      model: some.model.fingerprint,
      metrics,
    });
  const encode = (fields: object, signal?: AbortSignal, cache?: Cache) =>
    stageOn(embedder, cache)(parsed('encode', fields), context(signal));

  it('forwards the question with its vector, and all that was asked for', async () => {
    const asked = {
      query: 'Who waters the plants?',
      collection: 'handbook',
      top_k: 3,
      mode: 'hybrid',
      filter: { field: 'lang', op: 'eq', value: 'en' },
      neighbours: 2,
      want: 'hits',
      stream: true,
      max_tokens: 99,
    };
    const outcome = await encode(asked);
    if (outcome.kind !== 'forward') throw new Error(`encode answered ${outcome.kind}`);
    expect(outcome.to).toBe('retrieve');
    expect(retrieveInput.parse({ ...header, ...outcome.payload })).toMatchObject({
      ...asked,
      embedding_model: 'all-minilm-l6-v2/384/afdb6f1a0e45',
      degraded: [],
    });
    // 384 float32 values: 1,536 bytes, 2,048 digits of base64.
    expect(outcome.payload.embedding).toHaveLength(2048);
  });

  it('asks no model for a question that only its words are searched by', async () => {
    const none = { model: embedder.model, embed: () => Promise.reject(new Error('asked')) };
    const stage = stageOn({ ...embedder, ...none });
    const outcome = await stage(parsed('encode', { query: 'who?', mode: 'sparse' }), context());
    expect(outcome).toMatchObject({ kind: 'forward', to: 'retrieve', payload: { mode: 'sparse' } });
    if (outcome.kind === 'forward') expect(outcome.payload.embedding).toBeUndefined();
  });

  it('embeds no text twice, however it is spaced, and tells again that it was cut', async () => {
    const cache = new MemoryCache();
    const payloadOf = async (fields: object) => {
      const outcome = await encode(fields, undefined, cache);
      if (outcome.kind !== 'forward') throw new Error(`encode answered ${outcome.kind}`);
      return outcome.payload;
    };
    const first = await payloadOf({ query: 'Who waters  the plants?' });
    const long = await payloadOf({ query: 'why '.repeat(1500) });
    const dumb: Embedder = {
      ...embedder,
      model: embedder.model,
      embed: () => Promise.reject(new Error('asked')),
    };
    const kept = async (fields: object) => {
      const outcome = await stageOn(dumb, cache)(parsed('encode', fields), context());
      return outcome.kind === 'forward' ? outcome.payload : null;
    };
    expect((await kept({ query: 'Who waters the\nplants?' }))?.embedding).toBe(first.embedding);
    expect((await payloadOf({ query: 'Who waters  the plants?', cache: 'bypass' })).embedding).toBe(
      first.embedding,
    );
    expect(await kept({ query: 'why '.repeat(1500) })).toMatchObject({
      embedding: long.embedding,
      degraded: ['query_truncated'],
    });
    for (const mode of ['bypass', 'refresh'])
      await expect(kept({ query: 'Who waters the plants?', cache: mode })).rejects.toThrow('asked');
    for (const key of cache.entries.keys()) cache.put(key, 'short', 1000);
    await expect(kept({ query: 'Who waters the plants?' })).rejects.toThrow('asked');
    const other = { ...dumb, model: { ...embedder.model, fingerprint: 'another/384/model' } };
    await payloadOf({ query: 'Who waters the plants?' });
    await expect(
      stageOn(other, cache)(parsed('encode', { query: 'Who waters the plants?' }), context()),
    ).rejects.toThrow('asked');
  });

  it('cuts a long question with a note', async () => {
    const outcome = await encode({ query: 'why '.repeat(1500) });
    expect(outcome).toMatchObject({ kind: 'forward', payload: { degraded: ['query_truncated'] } });
  });

  it('ends when the job is cancelled', async () => {
    await expect(encode({ query: 'too late' }, AbortSignal.abort())).rejects.toMatchObject({
      name: 'AbortError',
    });
  });
});

describe('embed', () => {
  const chunk = (ordinal: number, text: string, chunkContext = '') => ({
    chunk_id: `chk_${ordinal}`,
    ordinal,
    text,
    source_span: [0, text.length],
    page: null,
    heading_path: [],
    context: chunkContext,
    tokens: 5,
  });
  const embed = async (...chunks: object[]) => {
    const group = { collection: 'handbook', document_id: 'doc_1', version: 2, title: 'Plants', chunks };
    const outcome = await createEmbedStage({ embedder, metrics })(parsed('embed', group), context());
    if (outcome.kind !== 'forward') throw new Error(`embed answered ${outcome.kind}`);
    return storeInput.parse({ ...header, ...outcome.payload });
  };

  it('gives every chunk its vector and leaves the rest as it was', async () => {
    const chunks = [chunk(0, 'Ferns need shade.'), chunk(1, 'Cacti need sun.')];
    const stored = await embed(...chunks);
    expect(stored).toMatchObject({ document_id: 'doc_1', version: 2, title: 'Plants', truncated: 0, chunks });
    expect(new Set(stored.chunks.map(({ embedding }) => embedding)).size).toBe(2);
  });

  it('embeds the context in front of the text', async () => {
    const stored = await embed(
      chunk(0, 'They need shade.', 'Ferns'),
      chunk(1, 'They need shade.'),
      chunk(2, 'Ferns\nThey need shade.'),
    );
    const [withContext, bare, same] = stored.chunks.map(({ embedding }) => embedding);
    expect(withContext).toBe(same);
    expect(withContext).not.toBe(bare);
  });

  it('counts chunks that did not fit into the model', async () => {
    const stored = await embed(chunk(0, 'fits'), chunk(1, 'too long '.repeat(300)));
    expect(stored.truncated).toBe(1);
    expect(stored.chunks[1]?.text).toBe('too long '.repeat(300));
  });
});
