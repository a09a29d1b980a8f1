import { describe, expect, it } from 'vitest';
import { isFoundByWords } from './found-by-words.ts';
import type { FoundHit } from './visible-search.ts';

function hit(text: string, sparse: FoundHit['sparse'] = { score: 9, rank: 1 }): FoundHit {
  const chunk = {
    ...{
      id: 'i',
      chunk_id: 'c',
      document_id: 'd',
      version: 1,
      ordinal: 0,
      title: '',
      context: 'Log of Kirkwall',
    },
    ...{ text, source_span: [0, text.length] as [number, number], page: null, heading_path: [], tokens: 9 },
  };
  return { chunk, score: 1, cosine: 0.2, dense: null, sparse, fused: null };
}

describe('isFoundByWords', () => {
  it.each([
    ['word for word', 'The zeppelin docked, carrying ninety barrels of marmalade.', true],
    ['in other forms of the words, and in the context', 'Which zeppelins were docking at Kirkwall?', true],
    ['a question of which most words are missing', 'Which zeppelin crossed the Atlantic with mail?', false],
    ['one word', 'zeppelin', false],
    ['nothing but function words', 'What is it about?', false],
  ])('%s', (_name, question, expected) => {
    expect(isFoundByWords(question, [hit('The zeppelin docked carrying ninety barrels of marmalade.')])).toBe(
      expected,
    );
  });

  it('looks at each hit alone, and only at those the word search found', () => {
    const scattered = [hit('ninety barrels'), hit('the zeppelin docked')];
    expect(isFoundByWords('zeppelin docked, ninety barrels', scattered)).toBe(false);
    expect(isFoundByWords('zeppelin docked', [hit('the zeppelin docked', null)])).toBe(false);
  });
});
