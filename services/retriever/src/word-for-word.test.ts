import { expect, test } from 'vitest';
import { wordForWord } from './word-for-word.ts';

const holds = (question: string, text: string) => wordForWord(question)?.({ context: '', text }) ?? null;

test.each([
  ['The lamp of Kirkwall burns.', 'At night the LAMP of\nKirkwall — burns, they say.', true],
  ['“Der Bär ißt Honig!”', 'Sie sagt: der Bär ißt Honig.', true],
  ['The ﬁrst ﬂag ﬂies', 'The first flag flies.', true],
  ['東京の天気は晴れです', '今日、東京の天気は晴れですね。', true],
  ['القطة السوداء لا تحب', 'يقول إن القطة السوداء لا تحب الأسماك.', true],
  ['The lamp of Kirkwall burns', 'The lamp of Kirkwall burnished brass.', false],
  ['The lamp of Kirkwall burns', 'Kirkwall burns the lamp.', false],
])('%s in %s: %s', (question, text, expected) => {
  expect(holds(question, text)).toBe(expected);
});

test.each(['saiga ledger', 'What is the lamp?', '…'])('%s is too short to be a quotation', (question) => {
  expect(wordForWord(question)).toBeNull();
});

test('what stands above a chunk counts as its text', () => {
  expect(
    wordForWord('The keepers of northern lights')?.({ context: 'The keepers of northern lights', text: 'x' }),
  ).toBe(true);
});
