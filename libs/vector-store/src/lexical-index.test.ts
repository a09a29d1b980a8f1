import { describe, expect, it } from 'vitest';
import { LexicalIndex } from './lexical-index.ts';
import { lexicalTerms } from './lexical-terms.ts';

describe('terms', () => {
  it.each([
    ['The Boilers were INSPECTED, weren’t they?', ['boiler', 'inspect', 'weren']],
    ["it's 3.5 bar (gauge), model X-200/b", ['3', '5', 'bar', 'gaug', 'model', 'x', '200', 'b']],
    ['Ölwechsel ÖLWECHSEL ölwechsel', ['ölwechsel', 'ölwechsel', 'ölwechsel']],
    ['ﬁlter Ａ１', ['filter', 'a1']],
    ['שלום עולם', ['שלום', 'עולם']],
    ['停电时 pump', ['停电', '电时', 'pump']],
    ['火', ['火']],
    ['👩‍👩‍👧 … -- ?!', []],
    ['what is it', []],
  ])('of %j are %j', (text, terms) => {
    expect(lexicalTerms(text)).toEqual(terms);
  });

  it('of a line without end are no term without end', () => {
    expect(lexicalTerms('x'.repeat(100_000))).toEqual(['x'.repeat(64)]);
  });
});

describe('BM25', () => {
  const row = (id: string, text: string, document_id = id, version = 1) => ({
    ...{ id, document_id, version, context: '', text },
  });
  const filled = (...rows: ReturnType<typeof row>[]) => {
    const index = new LexicalIndex();
    index.put(rows);
    return index;
  };
  const rows = [row('a', 'pump pump valve'), row('b', 'pump boiler valve valve valve'), row('c', 'boiler')];

  it('scores as computed by hand', () => {
    // Three rows of 3, 5 and 1 terms: 3 on average. "pump" and "valve" stand in two of three, idf = ln(1 + 1.5 / 2.5).
    const idf = Math.log(1.6);
    const part = (count: number, length: number) =>
      (count * 2.2) / (count + 1.2 * (0.25 + (0.75 * length) / 3));
    const hits = filled(...rows).search('pumps, pumps and a valve', 10);
    expect(hits.map(({ id }) => id)).toEqual(['a', 'b']);
    expect(hits[0]?.score).toBeCloseTo(idf * (2 * part(2, 3) + part(1, 3)), 10);
    expect(hits[1]?.score).toBeCloseTo(idf * (2 * part(1, 5) + part(3, 5)), 10);
  });

  it('orders equal scores by id, and keeps no score for the next search', () => {
    const index = filled(row('c', 'pump'), row('a', 'pump'), row('d', 'pump'), row('b', 'pump'));
    const first = index.search('pump', 3);
    expect(first.map(({ id }) => id)).toEqual(['a', 'b', 'c']);
    expect(index.search('pump', 3)).toEqual(first);
  });

  it('filters before it fills the limit', () => {
    const old = Array.from({ length: 30 }, (_, number) => row(`old-${number}`, 'pump pump', 'doc', 1));
    const index = filled(...old, row('new', 'a pump of steel', 'doc', 2), row('other', 'pump it', 'other'));
    const version = (document_id: string, number: number) => ({ document_id, version: number });
    const ids = (filter: Parameters<LexicalIndex['search']>[2]) =>
      index.search('pump', 5, filter).map(({ id }) => id);
    expect(ids({ excluded: [version('doc', 1)] })).toEqual(['other', 'new']);
    expect(ids({ included: [version('doc', 2)] })).toEqual(['new']);
    expect(ids({ included: [version('doc', 2)], excluded: [version('doc', 2)] })).toEqual([]);
    expect(ids({ included: [] })).toEqual([]);
  });

  it('stays equal to a fresh index while rows come, change and go', () => {
    const words = ['pump', 'valve', 'boiler', 'steam', 'gauge', 'pipe', 'bolt'];
    const text = (seed: number) =>
      Array.from({ length: 1 + (seed % 9) }, (_, place) => words[(seed * 7 + place * place) % 7]).join(' ');
    const kept = new Map<string, ReturnType<typeof row>>();
    const index = new LexicalIndex();
    for (let round = 0; round < 12; round += 1) {
      const group = Array.from({ length: 20 }, (_, number) =>
        row(`row-${(round * 13 + number) % 97}`, text(round * 31 + number), `doc-${number % 5}`, round),
      );
      index.put(group);
      for (const one of group) kept.set(one.id, one);
      if (round % 3 === 2) {
        const gone = (version: { document_id: string; version: number }) =>
          version.document_id === `doc-${round % 5}` || version.version < round - 4;
        index.remove(gone);
        for (const [id, one] of kept) if (gone(one)) kept.delete(id);
      }
      const fresh = filled(...kept.values());
      expect(index.size).toBe(kept.size);
      for (const question of ['pump', 'valve and steam', 'boiler gauge pipe bolt']) {
        const [hits, truth] = [index.search(question, 15), fresh.search(question, 15)];
        expect(hits.map(({ id }) => id)).toEqual(truth.map(({ id }) => id));
        for (const [place, { score }] of hits.entries())
          expect(score).toBeCloseTo(truth[place]?.score ?? 0, 9);
      }
    }
    index.remove(() => true);
    expect(index.size).toBe(0);
    expect(index.search('pump', 5)).toEqual([]);
    expect(index.bytes).toBeLessThan(20_000);
  });
});
