import { encodeVector } from '@vortex/contracts';
import { describe, expect, it } from 'vitest';
import { createVisibleSearch } from '../src/visible-search.ts';
import { east, north, northEast, retrieverForEach, scope } from './retriever-under-test.ts';

const test = retrieverForEach();
const { parts } = test;

describe('retrieve', () => {
  it('forwards the question with its passages, best first', async () => {
    const begun = await test.begin('atlas', 'j1');
    await test.storeChunks(begun, [east, north, northEast]);
    await test.publish(begun);
    const outcome = await test.retrieve(north);
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
    await parts.registry.ensureCollection({ tenant: 'default', name: 'books' });
    expect(await test.retrieve(north)).toMatchObject({
      kind: 'done',
      result: { answered: false, refusal: { best: null } },
    });
    const begun = await test.begin('atlas', 'j1');
    await test.storeChunks(begun, [east]);
    await test.publish(begun);
    expect(await test.retrieve(north)).toMatchObject({
      kind: 'done',
      result: { answered: false, worker: null, refusal: { reason: 'no_relevant_context', floor: 0.3 } },
    });
  });

  it('rejects an unknown collection, another model, and a vector that is none', async () => {
    expect(await test.retrieve(north)).toMatchObject({ kind: 'reject', code: 'collection_not_found' });
    const begun = await test.begin('atlas', 'j1');
    await test.storeChunks(begun, [north]);
    await test.publish(begun);
    expect(await test.retrieve(north, { embedding_model: 'other' })).toMatchObject({
      kind: 'reject',
      code: 'embedding_mismatch',
    });
    expect(await test.retrieve('AAAA')).toMatchObject({ kind: 'reject', code: 'invalid_envelope' });
    expect(await test.retrieve(undefined)).toMatchObject({ kind: 'reject', code: 'invalid_envelope' });
    expect(await test.retrieve(encodeVector(new Float32Array(8)))).toMatchObject({
      kind: 'reject',
      code: 'embedding_mismatch',
    });
  });
});

describe('versions', () => {
  it('are seen one at a time: not before they are published, never beside their successor', async () => {
    const first = await test.begin('atlas', 'j1');
    await test.storeChunks(first, [north, east]);
    expect(await test.textsFound(north)).toEqual([]);
    await test.publish(first);
    expect(await test.textsFound(north)).toEqual(['Text 0 of version 1.', 'Text 1 of version 1.']);

    const second = await test.begin('atlas', 'j2');
    await test.storeChunks(second, [north, east]);
    expect(await test.textsFound(north)).toEqual(['Text 0 of version 1.', 'Text 1 of version 1.']);
    await test.publish(second);
    expect(await test.textsFound(north)).toEqual(['Text 0 of version 2.', 'Text 1 of version 2.']);
  });

  it('that are hidden leave no gap in what is found', async () => {
    const visible = await test.begin('small', 'j1');
    await test.storeChunks(visible, [northEast]);
    await test.publish(visible);
    const hidden = await test.begin('large', 'j2');
    await test.storeChunks(hidden, Array(40).fill(north));
    const blind = createVisibleSearch(parts);
    const collection = (await parts.registry.resolveCollection('default', 'books')) ?? expect.fail();
    const vector = Float32Array.from([1, 0, 0, 0]);
    for (const search of [
      { mode: 'dense', text: 'text', vector } as const,
      { mode: 'sparse', text: 'text' } as const,
      { mode: 'hybrid', text: 'text', vector } as const,
    ]) {
      const { hits } = await blind.search(collection, { limit: 3, search });
      expect(hits.map(({ chunk }) => chunk.document_id)).toEqual([visible.documentId]);
    }
  });

  it('that replace one another in the middle of a search leave it neither empty nor with both', async () => {
    const first = await test.begin('atlas', 'j1');
    await test.storeChunks(first, [north], { texts: ['a pump'] });
    await test.publish(first);
    const second = await test.begin('atlas', 'j2');
    await test.storeChunks(second, [north], { texts: ['a pump'] });
    // As a request sees it that asked for the collection just before the switch, and nobody has searched since.
    const before = (await parts.registry.resolveCollection('default', 'books')) ?? expect.fail();
    await test.publish(second);
    const vector = Float32Array.from([1, 0, 0, 0]);
    for (const filter of [undefined, { not: { field: 'kind', op: 'exists' as const } }]) {
      const search = { mode: 'hybrid', text: 'pump', vector } as const;
      const { hits } = await parts.visibleSearch.search(before, { limit: 3, search, filter });
      expect(hits.map(({ chunk }) => chunk.version)).toEqual([2]);
    }
  });

  it('of a deleted document are gone from the moment of the reply, and purged after', async () => {
    const begun = await test.begin('atlas', 'j1');
    await test.storeChunks(begun, [north]);
    await test.publish(begun);
    expect(await test.textsFound(north)).toHaveLength(1);
    await parts.registry.deleteDocument('default', begun.documentId);
    expect(await test.textsFound(north)).toEqual([]);
    expect(await test.textsFound(undefined, { mode: 'sparse', query: 'text' })).toEqual([]);
    expect(await parts.purge.runOnce()).toBe(1);
    expect(await parts.store.count(scope)).toBe(0);
    expect(await parts.purge.runOnce()).toBe(0);
  });
});

describe('store', () => {
  it('drops a group that comes after its version was superseded', async () => {
    const first = await test.begin('atlas', 'j1');
    const second = await test.begin('atlas', 'j2');
    await test.storeChunks(second, [east]);
    await test.publish(second);
    await test.publish(first);
    expect(await test.storeChunks(first, [north])).toMatchObject({ kind: 'done', result: { stored: 0 } });
  });

  it('refuses vectors of another model', async () => {
    const begun = await test.begin('atlas', 'j1');
    await test.storeChunks(begun, [north]);
    await expect(test.storeChunks(begun, [east], { fingerprint: 'other-model:4' })).rejects.toMatchObject({
      code: 'embedding_mismatch',
      mayRetry: false,
    });
  });
});
