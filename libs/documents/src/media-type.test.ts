import { describe, expect, it } from 'vitest';
import { firstHeading } from './markdown-outline.ts';
import { mediaTypeOf } from './media-type.ts';

describe('what a text is taken for', () => {
  it.each([
    [
      'what the caller says',
      { mediaType: 'text/plain' as const, names: ['a.md'], text: '# A' },
      'text/plain',
    ],
    ['an ending', { names: ['guide.MD'], text: 'no marks' }, 'text/markdown'],
    ['the first name with a known ending', { names: ['id-7', 'notes.txt'], text: '# A' }, 'text/plain'],
    ['a heading', { names: ['id-7'], text: 'Intro\n\n## Part\n\nText' }, 'text/markdown'],
    ['a table', { names: ['id-7'], text: 'a | b\n--- | ---\n1 | 2' }, 'text/markdown'],
    ['a fence', { names: ['id-7'], text: 'Run:\n```sh\nls\n```\n' }, 'text/markdown'],
    ['a number sign that is no heading', { names: ['id-7'], text: '#hashtag and #another' }, 'text/plain'],
    ['prose', { names: ['v1.2'], text: 'Just words.\n\n----\n\nMore.' }, 'text/plain'],
  ])('%s', (_, document, expected) => {
    expect(mediaTypeOf(document)).toBe(expected);
  });
});

describe('the first heading', () => {
  it.each([
    ['of a document', 'Intro\n\n# The *title* here #\n\n## Sub', 'The title here'],
    ['after front matter, not a comment in code', '---\na: b\n---\n```sh\n# no\n```\n\n## Yes\n', 'Yes'],
    ['of none', 'Just text.\n\n    # code', null],
  ])('%s', (_, text, expected) => {
    expect(firstHeading(text)).toBe(expected);
  });
});
