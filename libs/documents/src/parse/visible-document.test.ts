import { describe, expect, it } from 'vitest';
import { chunkText } from '../chunker.ts';
import { visibleDocument } from './visible-document.ts';

const hidden = (text: string) =>
  [...text].map((letter) => String.fromCodePoint(0xe0000 + (letter.codePointAt(0) ?? 0))).join('');

describe('visibleDocument', () => {
  it('keeps pages where their text is, wherever the invisible stands', () => {
    const pages = [`${hidden('a')}One.`, `Two${hidden('bc')}.\u200b`, `${hidden('d')}`, `\u202eFour.`];
    const starts = pages.map((_, page) => pages.slice(0, page).join('').length);
    const read = visibleDocument({
      text: pages.join(''),
      mediaType: 'text/plain',
      pages: starts.map((start) => ({ start })),
      title: `Re\u200bport${hidden('x')}`,
    });
    expect(read.text).toBe('One.Two.Four.');
    expect(read.title).toBe('Report');
    expect(read.pages).toEqual([{ start: 0 }, { start: 4 }, { start: 8 }, { start: 8 }]);
  });

  it('keeps a page whose start is inside of what is taken out', () => {
    const text = `One.${hidden('abcd')}Two.`;
    const pages = [{ start: 0 }, { start: 8 }];
    expect(visibleDocument({ text, mediaType: 'text/plain', pages, title: null }).pages).toEqual([
      { start: 0 },
      { start: 4 },
    ]);
  });

  it('makes chunks whose offsets are into what is left', () => {
    const text = `# Warranty\n\nThe war\u200branty lasts ${hidden('ten')}two years. ${'It is long. '.repeat(40)}`;
    const read = visibleDocument({ text, mediaType: 'text/markdown', pages: null, title: null });
    const pieces = chunkText(
      { text: read.text, mediaType: 'text/markdown', title: '', pages: null },
      { maxTokens: 32, overlapTokens: 4, countTokens: (part) => Math.ceil(part.length / 4) },
    );
    expect(pieces.length).toBeGreaterThan(3);
    for (const { text: piece, source_span: span } of pieces) expect(read.text.slice(...span)).toBe(piece);
    expect(pieces[0]?.text).toContain('The warranty lasts two years.');
  });

  it('says of a title of nothing visible that there is none, and leaves others as they are', () => {
    const document = { text: 'Two years.', mediaType: 'text/plain' as const, pages: null };
    expect(visibleDocument({ ...document, title: '\u200b' }).title).toBeNull();
    expect(visibleDocument({ ...document, title: 'A' })).toEqual({ ...document, title: 'A' });
  });
});
