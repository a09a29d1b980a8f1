import type { Citation } from '@vortex/contracts';
import { describe, expect, test } from 'vitest';
import { sourcesFor } from './__fixtures__/sources.ts';
import { CitationFilter } from './citations.ts';

interface Checked {
  answer: string;
  deltas: string[];
  citations: Citation[];
  invented: number;
}

/** Sends the text in pieces of the given size; three passages are in the prompt and a fourth was left out. */
function check(text: string, pieceLength = text.length): Checked {
  const filter = new CitationFilter(sourcesFor(['a', 'b', 'c'], ['left-out']));
  const deltas: string[] = [];
  const citations: Citation[] = [];
  const take = (checked: ReturnType<CitationFilter['push']>): void => {
    deltas.push(checked.text);
    citations.push(...checked.citations);
  };
  for (let at = 0; at < text.length; at += pieceLength) take(filter.push(text.slice(at, at + pieceLength)));
  take(filter.end());
  return { answer: filter.answer, deltas, citations, invented: filter.invented };
}

const claims = ({ answer, citations }: Checked) =>
  citations.map(({ marker, answer_span, chunk_id }) => [marker, chunk_id, answer.slice(...answer_span)]);

describe('marks', () => {
  test.each([
    ['Two years [1].', 'Two years [1].', [1]],
    ['Two years[1].', 'Two years[1].', [1]],
    ['Two years [1, 2].', 'Two years [1][2].', [1, 2]],
    ['Two years [1][3].', 'Two years [1][3].', [1, 3]],
    ['Two years [^2].', 'Two years [2].', [2]],
    ['Two years [1-3].', 'Two years [1][2][3].', [1, 2, 3]],
    ['Two years [1; 2 and 3].', 'Two years [1][2][3].', [1, 2, 3]],
    ['Two years [Source 1] and [passage: 2].', 'Two years [1] and [2].', [1, 2]],
    ['Two years 【3】.', 'Two years [3].', [3]],
    ['Two years [ 1 ].', 'Two years [1].', [1]],
  ])('%s', (text, answer, markers) => {
    const checked = check(text);
    expect(checked.answer).toBe(answer);
    expect(checked.citations.map((citation) => citation.marker)).toEqual(markers);
    expect(checked.invented).toBe(0);
  });

  test.each([
    ['Two years [9].', 'Two years.', 1],
    ['Two years [0] and more.', 'Two years and more.', 1],
    ['Two [9]years.', 'Two years.', 1],
    ['Two years [4].', 'Two years.', 1],
    ['Two years [1, 9].', 'Two years [1].', 1],
    ['Two years [9][1].', 'Two years [1].', 1],
    ['Two years [1][9].', 'Two years [1].', 1],
    ['Two years [7] [8] [9]', 'Two years', 3],
    ['[9] Two years.', 'Two years.', 1],
    ['Two years. [9]\n\nThen [8] (at most).', 'Two years.\n\nThen (at most).', 2],
    ['Two years [2-5].', 'Two years [2][3].', 2],
  ])('an invented mark is removed: %s', (text, answer, invented) => {
    expect(check(text)).toMatchObject({ answer, invented });
  });

  test.each([
    'since [2024] it is',
    'see [the manual](https://example.org/[1a])',
    'an open [ bracket',
    'a task - [ ] open, - [x] done',
    'use `list[9]` or ``a`[9]`` here',
    '```js\nlist[9] = queue[1];\n```\nand so on',
    'ends in [',
    'ends in [12',
    'a [note that is far too long to be a mark 1]',
    'emoji 🙂 [🙂]',
  ])('left as it is: %s', (text) => {
    expect(check(text)).toMatchObject({ answer: text, invented: 0, citations: [] });
  });

  test('an inline code that is never closed ends with its line', () => {
    expect(check('a `b[9]\nc [9].')).toMatchObject({ answer: 'a `b[9]\nc.', invented: 1 });
  });

  test('without passages every mark is invented', () => {
    const filter = new CitationFilter([]);
    filter.push('Two years [1].');
    filter.end();
    expect([filter.answer, filter.invented]).toEqual(['Two years.', 1]);
  });

  test('each removed mark says whether there is no such passage, or it had no room in the prompt', () => {
    const [one, two] = sourcesFor(['a', 'b']);
    if (one === undefined || two === undefined) throw new Error('two sources were made');
    const filter = new CitationFilter([one, { ...two, used_in_prompt: false }]);
    filter.push('Two years [1][2]. Or three [7].');
    filter.end();
    expect(filter.removed).toEqual([
      { marker: 2, reason: 'not_in_prompt' },
      { marker: 7, reason: 'no_such_passage' },
    ]);
  });

  test('white space around the answer is dropped', () => {
    expect(check('\n  Two years [1]. \n\n').answer).toBe('Two years [1].');
  });
});

describe('claims', () => {
  test('the sentence that the mark closes, whichever side of the full stop the mark is on', () => {
    expect(claims(check('First. It lasts two years [1]. Then it ends. [2]'))).toEqual([
      [1, 'a', 'It lasts two years'],
      [2, 'b', 'Then it ends.'],
    ]);
  });

  test('two marks in a sentence close a clause each', () => {
    expect(claims(check('Red is warm [1], and blue is cold [2].'))).toEqual([
      [1, 'a', 'Red is warm'],
      [2, 'b', 'and blue is cold'],
    ]);
  });

  test('marks that follow each other close the same sentence', () => {
    const same = [
      [1, 'a', 'Red is warm'],
      [3, 'c', 'Red is warm'],
    ];
    expect(claims(check('Red is warm [1][3].'))).toEqual(same);
    expect(claims(check('Red is warm [1]. [3]'))).toEqual(same);
  });

  test('a list item is a sentence', () => {
    expect(claims(check('Colours:\n- red [1]\n- blue, see 1.2 [2]'))).toEqual([
      [1, 'a', 'red'],
      [2, 'b', 'blue, see 1.2'],
    ]);
  });

  test('the same mark for the same sentence is one citation, for another sentence another', () => {
    expect(claims(check('Red [1][1]. Blue [1].'))).toEqual([
      [1, 'a', 'Red'],
      [1, 'a', 'Blue'],
    ]);
  });

  test('a citation says where its passage stands', () => {
    expect(check('Red [2].').citations).toEqual([
      {
        marker: 2,
        answer_span: [0, 3],
        document_id: 'doc_b',
        title: 'Title of b',
        chunk_id: 'b',
        heading_path: ['Part', 'b'],
        page: null,
        source_span: [100, 110],
        excerpt: 'Text of b.',
        score: 0.5,
      },
    ]);
  });
});

describe('streaming', () => {
  const text =
    ' Red [1], blue [9][2] and `x[9]` 東京 [^3]。\n\n```\ny[1]\n```\n[12] The [2024] end 🙂 [1-2] [8] ';

  test.each([1, 2, 3, 5, 8, 13])('in pieces of %i characters the answer is the same', (pieceLength) => {
    const whole = check(text);
    const pieces = check(text, pieceLength);
    expect(pieces.answer).toBe(whole.answer);
    expect(pieces.deltas.join('')).toBe(whole.answer);
    expect(pieces.citations).toEqual(whole.citations);
    expect(pieces.invented).toBe(whole.invented);
  });

  test('no piece ever shows the beginning of an invented mark', () => {
    let shown = '';
    for (const delta of check('Red [9], blue [1].', 1).deltas) {
      shown += delta;
      expect('Red, blue [1].'.startsWith(shown), shown).toBe(true);
    }
  });

  test('text without brackets is not kept back', () => {
    const filter = new CitationFilter(sourcesFor(['a']));
    expect(filter.push('Red').text).toBe('Red');
    expect(filter.push(' is').text).toBe(' is');
    expect(filter.push(' ').text).toBe('');
    expect(filter.push('warm').text).toBe(' warm');
  });

  test('a flood of white space is passed on, not gathered', () => {
    const filter = new CitationFilter(sourcesFor(['a']));
    filter.push('Red');
    let longest = 0;
    for (let piece = 0; piece < 5000; piece += 1) {
      longest = Math.max(longest, filter.push('\n\n\n\n').text.length);
    }
    filter.push('[9].');
    expect(longest).toBe(4);
    expect(filter.end().text).toBe('');
    expect(filter.answer.length).toBeGreaterThan(15_000);
    expect(filter.answer).not.toContain('[9]');
  });
});
