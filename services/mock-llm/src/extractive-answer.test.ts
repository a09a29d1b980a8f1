import { expect, test } from 'vitest';
import { extractiveAnswer } from './extractive-answer.ts';

const passages = [
  '<passage n="1" title="Flow" section="Queues">\n# Queues\n\nThe gateway writes to `job:encoder_in`. The retriever reads from the list\n`job:retriever_in`. Who reads the dead list?\n</passage>',
  '<passage n="2" title="Limits" section="">\n| Stage | Limit |\n| --- | --- |\n| encoder | 256 tokens |\n- Answers are kept for 60 seconds, see [3].\n</passage>',
  '<passage n="3" title="" section="">Redis keeps its lists in memory. Backups run at night.</passage>',
].join('\n\n');

function ask(question: string, context = passages): string {
  return extractiveAnswer([
    { role: 'system', content: 'Answer from the passages.' },
    { role: 'user', content: `${context}\n\nQuestion: ${question}` },
  ]);
}

test('answers with the sentence that shares the most words, closed by its mark', () => {
  expect(ask('Which Redis list does the retriever read from?')).toMatch(
    /^The retriever reads from the list `job:retriever_in` \[1\]\./,
  );
});

test('adds a sentence of another passage when it covers the rest of the question', () => {
  expect(ask('Where does the retriever read, and when do backups run?')).toBe(
    'The retriever reads from the list `job:retriever_in` [1]. Backups run at night [3].',
  );
});

test('a table row and a list item are sentences, and a footnote of the text is no mark', () => {
  expect(ask('How many tokens may the encoder take?')).toMatch(/^encoder, 256 tokens \[2\]\./);
  expect(ask('How long are answers kept?')).toBe('Answers are kept for 60 seconds, see [2].');
});

test('prose goes before code that holds more of the words, and loses its markup', () => {
  const context =
    '<passage n="1">```sh\nredis-cli RPUSH which list retriever read\n```\n\n**Retriever.** It [reads](x.md) a list.\n</passage>';
  expect(ask('Which list does the retriever read?', context)).toBe('Retriever. It reads a list [1].');
});

test('without a word in common it quotes the opening of the first passage', () => {
  expect(ask('Zebra crossing')).toBe('The gateway writes to `job:encoder_in` [1].');
});

test('a passage without spaces between its words is matched too', () => {
  expect(ask('東京の人口は？', '<passage n="1">大阪は西にある。東京の人口は多い。</passage>')).toBe(
    '東京の人口は多い。 [1].',
  );
});

test('without passages it says so; a plain chat is echoed', () => {
  expect(ask('Which list?', '')).toBe('I have no context to answer this question from.');
  expect(extractiveAnswer([{ role: 'user', content: 'Hello there' }])).toContain('"Hello there"');
  expect(extractiveAnswer([])).not.toBe('');
});

test('a long sentence is cut at a word', () => {
  const answer = ask('ducks', `<passage n="1">Ducks ${'swim calmly '.repeat(80)}</passage>`);
  expect(answer).toMatch(/ (?:swim|calmly) … \[1\]\.$/);
  expect(answer.length).toBeLessThan(420);
});

test('the same prompt gives the same answer', () => {
  expect(ask('Which list?')).toBe(ask('Which list?'));
});

test('a statement that stands in a passage word for word is quoted, not taken for an example of asking', () => {
  expect(ask('Redis keeps its lists in memory.')).toBe('Redis keeps its lists in memory [3].');
  const only = '<passage n="1">vortex ask "How long does a lease last?"</passage>';
  expect(ask('How long does a lease last?', only)).toMatch(/lease last.* \[1\]\.$/);
});
