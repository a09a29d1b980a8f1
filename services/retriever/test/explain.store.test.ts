import { type ExplainedRetrieval, encodeVector, explainedRetrieval } from '@vortex/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import { east, north, northEast, retrieverForEach } from './retriever-under-test.ts';

const test = retrieverForEach();
const away = encodeVector(Float32Array.of(0, 0, 1, 0));

describe('what a retrieval writes down of itself', () => {
  beforeEach(async () => {
    const begun = await test.begin('manual', 'j1');
    const texts = ['The boiler is warm.', 'A pump, inspected in spring.', 'The valve of the pump.'];
    await test.storeChunks(begun, [north, east, northEast], { texts });
    await test.publish(begun);
    test.explained.length = 0;
  });

  async function explained(
    more: Record<string, unknown>,
    { promptTokens = 500, embedding = north } = {},
  ): Promise<ExplainedRetrieval> {
    await test.retrieve(embedding, { query: 'pumps', embedding_cache: 'miss', ...more }, { promptTokens });
    const [only, ...others] = test.explained;
    expect(others).toEqual([]);
    expect(JSON.stringify(only)).not.toContain('boiler');
    return explainedRetrieval.parse(only);
  }

  it('names every candidate with its ranks, and those behind top_k', async () => {
    const story = await explained({ top_k: 1 });
    expect(story).toMatchObject({
      ...{ collection: 'books', mode: 'hybrid', top_k: 1, outcome: 'prompt' },
      ...{ ranked: { dense: 3, sparse: 2 }, cache: { embedding: 'miss', retrieval: 'miss' } },
      prompt: { passage_tokens: { allowed: 500, used: 32 }, passages: 1 },
    });
    expect(
      story.candidates.map(({ dropped, dense, sparse }) => [dropped, dense?.rank, sparse?.rank]),
    ).toEqual([
      [null, 2, 1],
      ['top_k', 3, 2],
      ['top_k', 1, undefined],
    ]);
    expect(story.candidates[0]).toMatchObject({ title: 'A book', chunk_id: expect.any(String), tokens: 32 });
  });

  it('does so of a search by words alone', async () => {
    const story = await explained({ mode: 'sparse', top_k: 1 });
    expect(story).toMatchObject({ mode: 'sparse', ranked: { dense: null, sparse: 2 } });
    expect(story.candidates.map(({ dropped }) => dropped)).toEqual([null, 'top_k']);
  });

  it('says that a candidate had no room in the prompt', async () => {
    const story = await explained({}, { promptTokens: 40 });
    expect(story.prompt).toEqual({ passage_tokens: { allowed: 40, used: 32 }, passages: 1 });
    expect(story.candidates.map(({ dropped }) => dropped)).toEqual([null, 'over_budget', 'over_budget']);
  });

  it('says of a refusal how far below the floor the best was', async () => {
    const story = await explained({ mode: 'dense' }, { embedding: away });
    expect(story).toMatchObject({ outcome: 'refused', prompt: null, relevance: { floor: 0.3, best: 0 } });
    expect(new Set(story.candidates.map(({ dropped }) => dropped))).toEqual(new Set(['below_floor']));
  });

  it('of hits drops none of them', async () => {
    const story = await explained({ want: 'hits', top_k: 2 });
    expect(story).toMatchObject({ outcome: 'hits', prompt: null, relevance: null });
    expect(story.candidates.map(({ dropped }) => dropped)).toEqual([null, null, 'top_k']);
  });

  it('tells the same when the hits come from the cache', async () => {
    const first = await explained({ top_k: 1 });
    test.explained.length = 0;
    const second = await explained({ top_k: 1 });
    expect(second).toEqual({ ...first, cache: { embedding: 'miss', retrieval: 'hit' } });
  });
});
