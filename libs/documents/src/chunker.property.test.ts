import { seededRandom } from '@vortex/routing';
import { describe, expect, it } from 'vitest';
import { chunkText } from './chunker.ts';
import type { CountTokens } from './token-counter.ts';

const words = [
  'queue',
  'retriever',
  'a',
  'of',
  'Straße',
  'naïve',
  '数据库',
  '検索する',
  'مرحبا',
  'שלום',
  '👩‍🚀',
  '🇩🇪',
  '😀',
  'e\u0301',
  'x'.repeat(300),
  'Mr.',
  'e.g.',
  '3.14',
  '`code`',
  '**bold**',
  '[link](http://a.b)',
  '<b>',
  '&amp;',
  '\\*',
  '|',
  '#',
  '-',
  '\u200f',
  '\u00a0',
  '\t',
];
const ends = ['.', '!', '?', '。', '…', ':', '', ' '];
const lineEnds = ['\n', '\r\n', '\n', '\r'];
const starts = [
  '# ',
  '## ',
  '###### ',
  '- ',
  '  - ',
  '1. ',
  '> ',
  '    ',
  '| ',
  '```\n',
  '~~~\n',
  '<!-- ',
  '-->\n',
  '---\n',
  '===\n',
  '| a | b |\n|---|---|\n',
  '[ref]: <x\n',
  '\ufeff',
  '<div>\n',
];

function documentOf(random: () => number): string {
  const pick = (from: readonly string[]) => from[Math.floor(random() * from.length)] ?? '';
  const lineEnd = pick(lineEnds);
  let text = random() < 0.2 ? '\ufeff' : '';
  if (random() < 0.2) text += `---${lineEnd}title: x${lineEnd}---${lineEnd}`;
  const blocks = Math.floor(random() * 40);
  for (let block = 0; block < blocks; block += 1) {
    if (random() < 0.5) text += pick(starts).replaceAll('\n', lineEnd);
    const length = Math.floor(random() ** 3 * 120);
    for (let word = 0; word < length; word += 1) {
      text += pick(words);
      if (random() < 0.12) text += pick(ends);
      text += random() < 0.08 ? lineEnd : random() < 0.05 ? '' : ' ';
    }
    text += lineEnd.repeat(1 + Math.floor(random() * 3));
  }
  return text;
}

/** Three ways of counting: exact over words; a word is one token; more than the sum of the words. */
const counters: Record<string, CountTokens> = {
  characters: (text) => [...text.matchAll(/[\p{L}\p{N}]{1,4}|[^\p{L}\p{N}\s]/gu)].length,
  words: (text) => [...text.matchAll(/\S+/g)].length,
  superadditive: (text) => Math.ceil(text.trim().length ** 1.15 / 4),
};

const documents = 80;

describe.each(Object.entries(counters))('any document, counted by %s', (_, countTokens) => {
  it.each(['text/markdown', 'text/plain'] as const)(
    '%s: exact offsets, full coverage, limit held, the same twice',
    (mediaType) => {
      for (let seed = 1; seed <= documents; seed += 1) {
        const random = seededRandom(seed);
        const text = documentOf(random);
        const maxTokens = 16 + Math.floor(random() * 100);
        const source = { text, mediaType, title: random() < 0.5 ? 'The title' : '' };
        const options = { maxTokens, overlapTokens: Math.floor(random() * 20), countTokens };
        const pieces = chunkText(source, options);
        const about = `document ${seed}, ${maxTokens} tokens`;

        const covered = new Uint8Array(text.length);
        let ordinal = 0;
        let lastEnd = 0;
        for (const piece of pieces) {
          const [start, end] = piece.source_span;
          if (piece.text !== text.slice(start, end))
            expect.fail(`${about}: piece ${ordinal} is not its slice`);
          expect(piece.ordinal, about).toBe(ordinal);
          expect(piece.text.trim() === piece.text && piece.text !== '', about).toBe(true);
          expect(piece.text.isWellFormed(), about).toBe(true);
          expect(piece.context.isWellFormed(), about).toBe(true);
          expect(end, `${about}: pieces go forward`).toBeGreaterThan(lastEnd);
          const tokens = countTokens(piece.text);
          expect(piece.tokens, about).toBe(Math.max(tokens, 1));
          expect(
            tokens + countTokens(piece.context) + 2,
            `${about}: ${JSON.stringify(piece.text)}`,
          ).toBeLessThanOrEqual(maxTokens);
          expect(piece.text.length, about).toBeLessThanOrEqual(maxTokens * 16);
          covered.fill(1, start, end);
          lastEnd = end;
          ordinal += 1;
        }
        for (const { index } of text.matchAll(/\S/g)) {
          if (covered[index] === 0) expect.fail(`${about}: character ${index} is in no piece`);
        }
        expect(chunkText(source, options), about).toEqual(pieces);
      }
    },
    // Three to seven seconds where the processor is shared.
    60_000,
  );
});

describe.each(['structure', 'sentence', 'fixed'] as const)(
  'any document with pages, strategy %s',
  (strategy) => {
    it('no piece has text of two pages, every page is told, nothing is lost', () => {
      const countTokens = counters.characters ?? (() => 1);
      for (let seed = 1; seed <= documents; seed += 1) {
        const random = seededRandom(seed);
        const text = documentOf(random);
        const pages = [{ start: 0 }];
        while (random() < 0.8) pages.push({ start: Math.floor(random() * text.length) });
        // Pages start between characters.
        for (const page of pages) if (/[\udc00-\udfff]/.test(text[page.start] ?? '')) page.start += 1;
        pages.sort((one, other) => one.start - other.start);
        const mediaType = random() < 0.5 ? ('text/markdown' as const) : ('text/plain' as const);
        const options = {
          strategy,
          maxTokens: 16 + Math.floor(random() * 100),
          overlapTokens: 10,
          countTokens,
        };
        const pieces = chunkText({ text, mediaType, title: '', pages }, options);
        const covered = new Uint8Array(text.length);
        for (const {
          text: part,
          source_span: [start, end],
          page,
        } of pieces) {
          const about = `document ${seed}, piece at ${start}`;
          if (part !== text.slice(start, end)) expect.fail(`${about} is not its slice`);
          expect(part.isWellFormed(), about).toBe(true);
          expect(page, about).toBe(pages.filter((one) => one.start <= start).length);
          expect(end, about).toBeLessThanOrEqual(pages[page ?? 0]?.start ?? text.length);
          covered.fill(1, start, end);
        }
        for (const { index } of text.matchAll(/\S/g)) {
          if (covered[index] === 0) expect.fail(`document ${seed}: character ${index} is in no piece`);
        }
      }
    }, 60_000);
  },
);
