import { expect, test } from 'vitest';
import { readPrompt } from './prompt.ts';

const system = { role: 'system', content: 'Answer from the passages only and cite them as [n].' };

test('reads tagged passages with their numbers, headings and texts, and the question after them', () => {
  const content = [
    '<passage n="1" title="a > b" section="Queue › Lists">\nThe encoder reads.\nQuestion: not this one\n</passage>',
    '<passage n="2" title="" section="">second</passage>',
    '',
    'Question: Which list?',
  ].join('\n');
  expect(readPrompt([system, { role: 'user', content }])).toEqual({
    question: 'Which list?',
    passages: [
      { number: 1, heading: 'a > b Queue › Lists', text: 'The encoder reads.\nQuestion: not this one' },
      { number: 2, heading: '', text: 'second' },
    ],
    expectsContext: true,
  });
});

test('reads passages numbered by hand', () => {
  const content = 'Context:\n[1] One\nmore of one\n[2] Two\n\nQuestion: What?\nAnswer:';
  const { passages, question } = readPrompt([{ role: 'user', content }]);
  expect(passages.map(({ number, text }) => [number, text])).toEqual([
    [1, 'One\nmore of one'],
    [2, 'Two'],
  ]);
  expect(question).toBe('What?');
});

test('reads in a passage what the prompt escaped', () => {
  const [passage] = readPrompt([
    { role: 'user', content: '<passage n="1">a &lt; b</passage>\nQuestion: ?' },
  ]).passages;
  expect(passage?.text).toBe('a < b');
});

test('takes a bare context block as one passage', () => {
  const { passages } = readPrompt([
    { role: 'user', content: 'Context: Water boils at 100 °C.\n\nQuestion: When?' },
  ]);
  expect(passages).toEqual([{ number: 1, heading: '', text: 'Water boils at 100 °C.' }]);
});

test('of a longer conversation the last passages and the last question count', () => {
  const { passages, question } = readPrompt([
    { role: 'user', content: '<passage n="1">old</passage>\nQuestion: old?' },
    { role: 'assistant', content: 'Old [1].' },
    { role: 'user', content: '<passage n="1">new</passage>\nQuestion: new?' },
  ]);
  expect(passages.map((passage) => passage.text)).toEqual(['new']);
  expect(question).toBe('new?');
});

test('a plain chat has neither passages nor the wish for them', () => {
  expect(readPrompt([{ role: 'user', content: 'Hello there' }])).toEqual({
    question: 'Hello there',
    passages: [],
    expectsContext: false,
  });
});
