import { describe, expect, it } from 'vitest';
import { document, seeded } from './conformance.ts';
import { cosine } from './cosine.ts';
import { ExactIndex } from './exact-index.ts';
import { VectorMatrix } from './vector-matrix.ts';

describe('the matrix', () => {
  it.each([1, 3, 16, 17, 48, 384, 769])('computes cosines of %d numbers', (dimension) => {
    const matrix = new VectorMatrix(dimension);
    const rows = Array.from({ length: 150 }, (_, index) =>
      seeded(index, dimension).map((value) => value * (index + 1)),
    );
    for (const [index, row] of rows.entries()) matrix.set(index, row);
    const question = seeded(1000, dimension);
    const scores = [...matrix.cosines(question)];
    expect(scores).toHaveLength(150);
    for (const [index, row] of rows.entries()) expect(scores[index]).toBeCloseTo(cosine(row, question), 5);
  });

  it('has no scores while it is empty, and none of removed rows', () => {
    const matrix = new VectorMatrix(20);
    expect(matrix.cosines(seeded(1, 20))).toHaveLength(0);
    for (const index of [0, 1, 2]) matrix.set(index, seeded(index, 20));
    matrix.remove(0);
    const scores = [...matrix.cosines(seeded(2, 20))];
    expect(scores[0]).toBeCloseTo(1, 5);
    expect(scores[1]).toBeCloseTo(cosine(seeded(1, 20), seeded(2, 20)), 5);
    expect(scores).toHaveLength(2);
  });
});

describe('the index', () => {
  const rows = [...document('doc-a', 1, 90), ...document('doc-a', 2, 60), ...document('doc-b', 1, 50)].map(
    (row) => ({
      ...row,
      id: row.chunk_id,
    }),
  );
  const bruteForce = (from: typeof rows, vector: Float32Array, limit: number) =>
    from
      .map((row) => ({ id: row.id, score: cosine(row.vector, vector) }))
      .sort((left, right) => right.score - left.score)
      .slice(0, limit)
      .map((hit) => hit.id);

  it.each([1, 5, 199, 200, 1000])('returns the true best %d', (limit) => {
    const index = new ExactIndex(48);
    index.put(rows);
    const question = seeded(31);
    expect(index.search(question, limit).map((hit) => hit.id)).toEqual(bruteForce(rows, question, limit));
  });

  it('leaves excluded versions out and fills the limit with others', () => {
    const index = new ExactIndex(48);
    index.put(rows);
    const question = rows[3]?.vector ?? seeded(1);
    const visible = rows.filter((row) => row.version === 2);
    const excluded = [
      { document_id: 'doc-a', version: 1 },
      { document_id: 'doc-b', version: 1 },
    ];
    const hits = index.search(question, 60, { excluded }).map((hit) => hit.id);
    expect(hits).toEqual(bruteForce(visible, question, 60));
  });

  it('stays right while rows come, change and go', () => {
    const index = new ExactIndex(48);
    index.put(rows);
    expect(index.remove((row) => row.version === 1 && row.document_id === 'doc-a')).toHaveLength(90);
    expect(index.remove(() => false)).toEqual([]);
    const changed = rows.slice(100, 110).map((row, place) => ({ ...row, vector: seeded(7000 + place) }));
    index.put(changed);
    index.put(rows.slice(0, 10));
    const present = [...rows.slice(0, 10), ...rows.slice(90, 100), ...changed, ...rows.slice(110)];
    expect(index.size).toBe(present.length);
    for (const seed of [1, 2, 3]) {
      const question = seeded(seed);
      expect(index.search(question, 20).map((hit) => hit.id)).toEqual(bruteForce(present, question, 20));
    }
    expect(index.remove(() => true)).toHaveLength(present.length);
    expect(index.search(seeded(1), 5)).toEqual([]);
  });

  it('orders equal scores by id, wherever the rows lie', () => {
    const index = new ExactIndex(48);
    const same = seeded(5);
    index.put(['c', 'a', 'd', 'b'].map((id) => ({ id, document_id: id, version: 1, vector: same })));
    expect(index.search(same, 3).map((hit) => hit.id)).toEqual(['a', 'b', 'c']);
  });
});
