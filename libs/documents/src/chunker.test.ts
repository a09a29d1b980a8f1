import { describe, expect, it } from 'vitest';
import { identifyChunks } from './chunk-ids.ts';
import type { Piece } from './chunk-options.ts';
import { chunkText } from './chunker.ts';
import type { TextMediaType } from './outline.ts';

/** Counts like a tokenizer would, roughly: a token per four characters of a word, one per mark. */
function countTokens(text: string): number {
  let tokens = 0;
  for (const [word] of text.matchAll(/[\p{L}\p{N}]+|[^\p{L}\p{N}\s]/gu)) tokens += Math.ceil(word.length / 4);
  return tokens;
}

function chunk(
  text: string,
  change: { mediaType?: TextMediaType; title?: string; maxTokens?: number; overlapTokens?: number } = {},
): Piece[] {
  const { mediaType = 'text/markdown', title = '', maxTokens = 40, overlapTokens = 0 } = change;
  return chunkText({ text, mediaType, title }, { maxTokens, overlapTokens, countTokens });
}

const texts = (pieces: Piece[]) => pieces.map((piece) => piece.text);

describe('what a chunk is', () => {
  it('is a slice of the text, with its heading path and what it needs beside its own words', () => {
    const text = '# Guide\n\nIntro.\n\n## Install\n\nRun the script.\n\n## Use\n\nAsk it.\n';
    const pieces = chunk(text, { title: 'The guide' });
    expect(pieces).toMatchObject([
      { ordinal: 0, text: '# Guide\n\nIntro.', heading_path: ['Guide'], context: 'The guide', page: null },
      {
        ordinal: 1,
        text: '## Install\n\nRun the script.',
        heading_path: ['Guide', 'Install'],
        context: 'The guide › Guide',
      },
      { ordinal: 2, text: '## Use\n\nAsk it.', heading_path: ['Guide', 'Use'], context: 'The guide › Guide' },
    ]);
    for (const piece of pieces) expect(text.slice(...piece.source_span)).toBe(piece.text);
  });

  it('a small document is one chunk', () => {
    expect(texts(chunk('One.\n\nTwo.\n\n- three\n- four\n'))).toEqual(['One.\n\nTwo.\n\n- three\n- four']);
  });

  it('nothing but white space has no chunk', () => {
    expect(chunk(' \n\t\r\n\u00a0\ufeff\n')).toEqual([]);
    expect(chunk('')).toEqual([]);
  });

  it('a title that is the first heading too stands in the context once', () => {
    const text = `# Guide\n\n${'Many words follow here. '.repeat(20)}`;
    expect(chunk(text, { title: 'Guide' })[1]?.context).toBe('Guide');
  });

  it('ids come from document, version and place: the same again, another for another version', () => {
    const pieces = chunk('One.\n\n# Two\n\nThree.');
    const first = identifyChunks(pieces, { documentId: 'doc_a', version: 1 });
    expect(first.map((row) => row.chunk_id)).toEqual(
      identifyChunks(pieces, { documentId: 'doc_a', version: 1 }).map((row) => row.chunk_id),
    );
    const ids = [
      ...first,
      ...identifyChunks(pieces, { documentId: 'doc_a', version: 2 }),
      ...identifyChunks(pieces, { documentId: 'doc_b', version: 1 }),
    ].map((row) => row.chunk_id);
    expect(new Set(ids).size).toBe(6);
    for (const id of ids) expect(id).toMatch(/^chk_[0-9A-Za-z]{22}$/);
  });
});

describe('where it cuts', () => {
  it('keeps a paragraph whole when that leaves no half-empty chunk', () => {
    const paragraph = 'Alpha beta gamma delta epsilon zeta. Eta theta iota kappa lambda mu.';
    expect(texts(chunk(`${paragraph}\n\n${paragraph}\n\n${paragraph}`))).toEqual([
      paragraph,
      paragraph,
      paragraph,
    ]);
  });

  it('cuts a long paragraph between sentences', () => {
    const sentences = Array.from({ length: 12 }, (_, index) => `Sentence ${index} says a few things.`);
    for (const piece of chunk(sentences.join(' '))) expect(piece.text).toMatch(/^Sentence .*things\.$/);
  });

  it('takes a full stop that stands alone for the end of a sentence, whatever case follows', () => {
    const text = 'the flow is laminar . the plate is heated on one side . and so it is measured .';
    expect(texts(chunk(text, { maxTokens: 20 }))).toEqual([
      'the flow is laminar . the plate is heated on one side .',
      'and so it is measured .',
    ]);
  });

  it('lets the remnant of a section share with the chunk before it, but no section with the next', () => {
    const sentence = (word: string) => `${word} ${word} ${word} ${word}.`;
    const words = ['Aaaa', 'Bbbb', 'Cccc', 'Dddd', 'Eeee'];
    // Five tokens each: four fit into 22, and the fifth alone would be a remnant.
    const paragraph = words.map(sentence).join(' ');
    const halves = [words.slice(0, 3).map(sentence).join(' '), words.slice(3).map(sentence).join(' ')];
    expect(texts(chunk(paragraph, { maxTokens: 24 }))).toEqual(halves);
    const two = `# One\n\n${words.slice(0, 4).map(sentence).join(' ')}\n\n# Two\n\n${sentence('Ffff')}`;
    expect(texts(chunk(two, { maxTokens: 26 }))).toHaveLength(2);
    // Whole items stay whole: the list is torn nowhere that it was not.
    const list = `${words
      .slice(0, 4)
      .map((word) => `- ${sentence(word)}`)
      .join('\n')}\n\nlast one`;
    expect(texts(chunk(list, { maxTokens: 28 }))[0]).toContain('Dddd');
  });

  it('hard-wrapped prose is cut between sentences, not between lines', () => {
    const sentence = 'This sentence is wrapped\nby hand after every\nfew words of it.';
    const pieces = chunk(Array.from({ length: 8 }, () => sentence).join('\n'), { mediaType: 'text/plain' });
    expect(pieces.length).toBeGreaterThan(2);
    for (const piece of pieces) expect(piece.text).toMatch(/^This .*it\.$/s);
  });

  it('cuts a list between items, and an item of its own between its nested ones', () => {
    const list = Array.from(
      { length: 9 },
      (_, index) => `- item ${index} with some words\n  - and one below it`,
    ).join('\n');
    for (const piece of chunk(list)) expect(piece.text).toMatch(/^(- item|- and)/);
  });

  it('repeats a table’s header row in the context of the chunks that continue it', () => {
    const rows = Array.from({ length: 12 }, (_, index) => `| name ${index} | value ${index} |`);
    const text = `| Name | Value |\n| --- | --- |\n${rows.join('\n')}\n\nAfter.`;
    const pieces = chunk(text, { title: 'Prices' });
    expect(pieces[0]?.context).toBe('Prices');
    expect(pieces.length).toBeGreaterThan(2);
    for (const piece of pieces.slice(1, -1)) {
      expect(piece.context).toBe('Prices\n| Name | Value |');
      expect(piece.text).toMatch(/^\| name .*\|$/s);
    }
  });

  it('cuts code between lines, and a # in it is no heading', () => {
    const code = Array.from({ length: 20 }, (_, index) => `# step ${index}\nrun --level ${index}`).join('\n');
    const pieces = chunk(`# Steps\n\n\`\`\`sh\n${code}\n\`\`\`\n`);
    for (const piece of pieces) {
      expect(piece.heading_path).toEqual(['Steps']);
      expect(piece.text.split('\n').every((line) => line.trim() !== '#')).toBe(true);
    }
    expect(pieces.length).toBeGreaterThan(3);
  });

  it('headings without a body go to the first section below them, siblings do not', () => {
    const pieces = chunk('# A\n\n## B\n\n### C\n\nText.\n\n## D\n\n## E\n\nMore.');
    expect(pieces).toMatchObject([
      { text: '# A\n\n## B\n\n### C\n\nText.', heading_path: ['A', 'B', 'C'], context: '' },
      { text: '## D', heading_path: ['A', 'D'], context: 'A' },
      { text: '## E\n\nMore.', heading_path: ['A', 'E'], context: 'A' },
    ]);
  });

  it('overlap repeats whole sentences of the chunk before, within a section only', () => {
    const sentences = (name: string) =>
      Array.from({ length: 10 }, (_, index) => `${name} number ${index} is here.`).join(' ');
    const text = `# A\n\n${sentences('Alpha')}\n\n# B\n\n${sentences('Beta')}`;
    const pieces = chunk(text, { overlapTokens: 12 });
    const overlaps = pieces
      .slice(1)
      .map((piece, index) => (pieces[index]?.source_span[1] ?? 0) - piece.source_span[0]);
    expect(overlaps.some((overlap) => overlap > 0)).toBe(true);
    for (const piece of pieces) expect(piece.text).toMatch(/^(# |Alpha|Beta).*here\.$/s);
    for (const piece of pieces)
      expect(piece.text.includes('Alpha') && piece.text.includes('Beta')).toBe(false);
  });
});

describe('Markdown of all kinds', () => {
  it('a byte order mark, front matter and CRLF shift nothing', () => {
    const text =
      '\ufeff---\r\ntitle: x\r\n---\r\n\r\n# Head\r\n\r\nBody text.\r\n\r\n## Sub\r\n\r\nMore.\r\n';
    const pieces = chunk(text);
    expect(pieces.map((piece) => piece.heading_path)).toEqual([[], ['Head'], ['Head', 'Sub']]);
    expect(texts(pieces)).toEqual([
      '---\r\ntitle: x\r\n---',
      '# Head\r\n\r\nBody text.',
      '## Sub\r\n\r\nMore.',
    ]);
  });

  it('setext headings, and inline marks in a heading', () => {
    const pieces = chunk(
      'Top *level*\n===\n\nA.\n\n## `code` & **bold** [link](http://x) &amp; ![pic](y)\n\nB.',
    );
    expect(pieces.map((piece) => piece.heading_path)).toEqual([
      ['Top level'],
      ['Top level', 'code & bold link & pic'],
    ]);
  });

  it('a heading inside a quote or a list opens no section', () => {
    const pieces = chunk('# A\n\n> # quoted\n> text\n\n- # listed\n\n  text\n\nEnd.');
    expect(pieces.map((piece) => piece.heading_path)).toEqual([['A']]);
  });

  it('a skipped heading level is kept as it stands', () => {
    expect(chunk('# A\n\nx\n\n### B\n\ny\n\n## C\n\nz').map((piece) => piece.heading_path)).toEqual([
      ['A'],
      ['A', 'B'],
      ['A', 'C'],
    ]);
  });

  it('a comment or a fence that is larger than a window hides its headings', () => {
    const lines = Array.from({ length: 700 }, (_, index) => `# not a heading ${index}\n`).join('\n');
    const fenced = chunk(`# A\n\n\`\`\`\n${lines}\n\`\`\`\n\nEnd.`, { maxTokens: 256 });
    expect(new Set(fenced.map((piece) => piece.heading_path.join('/')))).toEqual(new Set(['A']));
    const comment = chunk(`# A\n\n<!--\n${lines}\n-->\n\n# B\n\nEnd.`, { maxTokens: 256 });
    expect(new Set(comment.map((piece) => piece.heading_path.join('/')))).toEqual(new Set(['A', 'B']));
  });

  it('sections hold across the windows a large text is parsed in', () => {
    const body = 'Some words in a paragraph of the section.\n\n'.repeat(30);
    const text = Array.from(
      { length: 40 },
      (_, index) => `# H${index}\n\n${body}## S${index}\n\n${body}`,
    ).join('');
    const pieces = chunk(text, { maxTokens: 256 });
    for (const piece of pieces) {
      const above = text.slice(0, piece.source_span[1]);
      const top = [...above.matchAll(/^# (.*)$/gm)].at(-1)?.[1];
      const sub = [...above.matchAll(/^##? (.*)$/gm)].at(-1)?.[1];
      expect(piece.heading_path).toEqual(top === sub ? [top] : [top, sub]);
    }
  });
});

describe('hostile text', () => {
  it('one line of a megabyte without a space is cut into pieces of bounded length', () => {
    const text = 'x'.repeat(1_000_000);
    for (const mediaType of ['text/plain', 'text/markdown'] as const) {
      const pieces = chunk(text, { mediaType, maxTokens: 256 });
      expect(pieces.map((piece) => piece.text).join('')).toBe(text);
    }
  });

  it('a tokenizer that takes a word of any length for one token yields no endless chunk', () => {
    const pieces = chunkText(
      { text: 'y'.repeat(50_000), mediaType: 'text/plain', title: '' },
      {
        maxTokens: 256,
        overlapTokens: 32,
        countTokens: (text) => (text.trim() === '' ? 0 : text.trim().split(/\s+/).length),
      },
    );
    expect(Math.max(...pieces.map((piece) => piece.text.length))).toBeLessThanOrEqual(256 * 16);
  });

  it('a megabyte of spaces between two words is no chunk', () => {
    const pieces = chunk(`a${' '.repeat(1_000_000)}b`, { mediaType: 'text/plain' });
    expect(texts(pieces)).toEqual(['a', 'b']);
  });

  it('emoji of several code points and surrogate pairs stay whole', () => {
    const family = '👨‍👩‍👧‍👦';
    const pieces = chunk(family.repeat(300), { mediaType: 'text/plain', maxTokens: 30 });
    expect(pieces.length).toBeGreaterThan(10);
    for (const piece of pieces) expect(piece.text.replaceAll(family, '')).toBe('');
  });

  it('a title and headings longer than the limit leave room for the text', () => {
    const pieces = chunk(`# ${'Endless heading '.repeat(100)}\n\nBody. ${'More words. '.repeat(60)}`, {
      title: 'Endless title '.repeat(100),
    });
    for (const piece of pieces) {
      expect(countTokens(piece.context)).toBeLessThanOrEqual(10);
      expect(countTokens(piece.context) + piece.tokens + 2).toBeLessThanOrEqual(40);
    }
  });

  it('a hundred thousand nested quotes or list marks do not end the process', () => {
    for (const mark of ['> ', '- ', '>']) {
      expect(chunk(`${mark.repeat(100_000)}end`, { maxTokens: 256 }).at(-1)?.text).toMatch(/end$/);
    }
  });

  it('a limit below sixteen tokens is refused', () => {
    expect(() => chunk('text', { maxTokens: 8 })).toThrow(/at least 16/);
  });
});
