import { describe, expect, it } from 'vitest';
import { makePassages } from './passages.ts';

describe('makePassages', () => {
  it('makes the same passages from the same seed, and no two alike', () => {
    const { documents, questions } = makePassages(1400);
    expect(makePassages(1400).documents).toEqual(documents);
    expect(new Set(documents.map(({ text }) => text)).size).toBe(1400);
    expect(questions).toHaveLength(1400);
  });

  it('makes passages of an abstract’s length', () => {
    const words = makePassages(200).documents.map(({ text }) => text.split(' ').length);
    expect(Math.min(...words)).toBeGreaterThan(120);
    expect(Math.max(...words)).toBeLessThan(220);
  });
});
