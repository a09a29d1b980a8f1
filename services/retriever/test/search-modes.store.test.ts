import { beforeEach, describe, expect, it } from 'vitest';
import { createVisibleSearch } from '../src/visible-search.ts';
import { east, north, northEast, retrieverForEach } from './retriever-under-test.ts';

const test = retrieverForEach();

describe('search', () => {
  beforeEach(async () => {
    const begun = await test.begin('manual', 'j1', { metadata: { lang: 'en', year: 2024 } });
    const texts = ['The boiler is warm.', 'A pump, inspected in spring.', 'The valve of the pump.'];
    await test.storeChunks(begun, [north, east, northEast], { texts });
    await test.publish(begun);
  });

  it('by vectors says cosines and their ranks, and nothing of words', async () => {
    const hits = await test.hits(north, { mode: 'dense', query: 'pump' });
    expect(hits.map(({ text }) => text[4])).toEqual(['b', 'v', 'm']);
    expect(hits[1]?.score).toBeCloseTo(Math.SQRT1_2, 5);
    expect(hits[1]?.scores).toEqual({
      dense: { score: hits[1]?.score, rank: 2 },
      sparse: null,
      fused: null,
    });
  });

  it('by words needs no vector, and finds what has the words', async () => {
    const hits = await test.hits(undefined, { mode: 'sparse', query: 'inspecting pumps' });
    expect(hits.map(({ text }) => text)).toEqual(['A pump, inspected in spring.', 'The valve of the pump.']);
    const [first] = hits;
    expect(first?.scores).toEqual({ dense: null, sparse: { score: first?.score, rank: 1 }, fused: null });
    expect(first).toMatchObject({ version: 1, context: '', metadata: { lang: 'en', year: 2024 } });
  });

  it('by both adds up what each says, and finds what only one of them does', async () => {
    const hits = await test.hits(north, { query: 'pumps' });
    // By cosine: boiler, valve, inspected. By words: valve (shorter), inspected. So valve has the 2nd and the 1st place.
    expect(hits.map(({ text }) => text)).toEqual([
      'The valve of the pump.',
      'A pump, inspected in spring.',
      'The boiler is warm.',
    ]);
    expect(hits[0]?.score).toBeCloseTo(1 / 62 + 1 / 61, 10);
    expect(hits[0]?.scores).toMatchObject({ dense: { rank: 2 }, sparse: { rank: 1 }, fused: hits[0]?.score });
    expect(hits[2]?.scores).toMatchObject({ dense: { rank: 1 }, sparse: null, fused: 1 / 61 });
  });

  it('by both puts a chunk first that holds the question word for word, however far its vector', async () => {
    const hits = await test.hits(north, { query: '“A PUMP inspected — in spring!”' });
    expect(hits.map(({ text }) => text[4])).toEqual(['m', 'v', 'b']);
    expect(hits[0]?.scores).toMatchObject({ dense: { rank: 3 }, sparse: { rank: 1 } });
    expect(hits[0]?.score).toBeCloseTo(1 / 63 + 1 / 61 + 2 / 61, 10);
  });

  it('answers by both unless told otherwise, and is told the mode in its reply', async () => {
    const outcome = await test.retrieve(north, { want: 'hits' });
    expect(outcome).toMatchObject({ kind: 'done', result: { mode: 'hybrid' } });
    const sparse = await test.retrieve(undefined, { want: 'hits', mode: 'sparse' });
    expect(sparse).toMatchObject({ kind: 'done', result: { mode: 'sparse' } });
  });

  it('refuses by the best cosine in both modes that have one, however well the words fit', async () => {
    const south = Buffer.from(new Float32Array([0, 0, 0, 1]).buffer).toString('base64');
    for (const mode of ['dense', 'hybrid']) {
      const outcome = await test.retrieve(south, { mode, query: 'pump' });
      expect(outcome).toMatchObject({
        kind: 'done',
        result: { answered: false, refusal: { reason: 'no_relevant_context', floor: 0.3, best: 0 } },
      });
    }
    // The first hit's own cosine is below the floor; another candidate's is not.
    const outcome = await test.retrieve(north, { query: 'inspected spring', top_k: 1 });
    expect(outcome).toMatchObject({ kind: 'forward', to: 'generate' });
    if (outcome.kind !== 'forward') return;
    expect(outcome.payload.sources).toMatchObject([{ excerpt: 'A pump, inspected in spring.' }]);
    expect(outcome.payload.sources[0]?.score).toBeCloseTo(0, 5);
  });

  it('by words alone refuses only when nothing was found', async () => {
    expect(await test.retrieve(undefined, { mode: 'sparse', query: 'pump' })).toMatchObject({
      kind: 'forward',
    });
    expect(await test.retrieve(undefined, { mode: 'sparse', query: 'turbine' })).toMatchObject({
      kind: 'done',
      result: { answered: false, refusal: { best: null } },
    });
  });

  it('brings neighbours of a hit, as many as there are', async () => {
    const [hit] = await test.hits(undefined, { mode: 'sparse', query: 'boiler', neighbours: 5 });
    expect(hit?.neighbours?.before).toEqual([]);
    expect(hit?.neighbours?.after.map(({ text }) => text)).toEqual([
      'A pump, inspected in spring.',
      'The valve of the pump.',
    ]);
    const [middle] = await test.hits(undefined, { mode: 'sparse', query: 'spring', neighbours: 1 });
    expect(middle?.neighbours).toMatchObject({
      before: [{ text: 'The boiler is warm.', page: null, source_span: [0, 10] }],
      after: [{ text: 'The valve of the pump.' }],
    });
    const [without] = await test.hits(undefined, { mode: 'sparse', query: 'spring' });
    expect(without).not.toHaveProperty('neighbours');
  });

  it('brings no neighbours of nothing, also where the store has never heard of the collection', async () => {
    await test.parts.registry.ensureCollection({ tenant: 'default', name: 'fresh' });
    for (const mode of ['dense', 'sparse', 'hybrid']) {
      const found = test.hits(north, { mode, query: 'boiler', collection: 'fresh', neighbours: 2 });
      expect(await found).toEqual([]);
    }
  });
});

describe('a filter on metadata', () => {
  const year = (op: string, value: number) => ({ field: 'year', op, value });
  const add = async (name: string, metadata: Record<string, unknown>, vector = north) => {
    const begun = await test.begin(name, `job-${name}`, { metadata });
    await test.storeChunks(begun, [vector], { texts: [`pump ${name}`] });
    await test.publish(begun);
    return begun;
  };

  it('lets through what fits, in each mode, and fills the limit with it', async () => {
    for (let number = 0; number < 12; number += 1) await add(`near${number}`, { year: 2010 });
    await add('far', { year: 2024 }, northEast);
    for (const mode of ['dense', 'sparse', 'hybrid']) {
      const texts = (filter: unknown) => test.textsFound(north, { mode, query: 'pump', top_k: 3, filter });
      expect(await texts(year('gte', 2020))).toEqual(['pump far']);
      expect(await texts(year('lt', 2020))).toHaveLength(3);
      expect(await texts({ not: year('lt', 2020) })).toEqual(['pump far']);
      expect(await texts(year('eq', 1999))).toEqual([]);
    }
    const refused = await test.retrieve(north, { query: 'pump', filter: year('eq', 1999) });
    expect(refused).toMatchObject({ kind: 'done', result: { answered: false, refusal: { best: null } } });
  });

  it('knows what has come, changed and gone since it was asked before', async () => {
    const [old, other] = [await add('old', { year: 2010 }), await add('other', { year: 2010 })];
    const texts = async (filter: unknown) => (await test.textsFound(north, { query: 'pump', filter })).sort();
    expect(await texts(year('eq', 2010))).toEqual(['pump old', 'pump other']);
    await add('new', { year: 2010 });
    expect(await texts(year('eq', 2010))).toEqual(['pump new', 'pump old', 'pump other']);
    const changed = await test.begin('old', 'job-again', { metadata: { year: 2020 } });
    await test.storeChunks(changed, [north], { texts: ['pump newer'] });
    await test.publish(changed);
    expect(await texts(year('eq', 2010))).toEqual(['pump new', 'pump other']);
    expect(await texts(year('gt', 2010))).toEqual(['pump newer']);
    expect(changed.documentId).toBe(old.documentId);
    await test.parts.registry.deleteDocument('default', other.documentId);
    expect(await texts(year('eq', 2010))).toEqual(['pump new']);
  });

  it('holds for a version that became visible in the middle of the search', async () => {
    for (const name of ['one', 'two', 'three']) await add(name, { year: 2010 });
    const before = (await test.parts.registry.resolveCollection('default', 'books')) ?? expect.fail();
    const search = { mode: 'sparse', text: 'pump' } as const;
    const filter = { field: 'year', op: 'eq' as const, value: 2010 };
    // As another retriever sees it: nobody has told it of the write.
    const blind = createVisibleSearch(test.parts);
    await blind.search(before, { limit: 9, search, filter });
    await add('stranger', { year: 2024 });
    const { hits } = await blind.search(before, { limit: 9, search, filter });
    expect(hits.map(({ chunk }) => chunk.text).sort()).toEqual(['pump one', 'pump three', 'pump two']);
  });
});
