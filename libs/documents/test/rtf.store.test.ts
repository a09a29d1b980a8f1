import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { readFileAs } from './read-file.ts';

const rtf = async (body: string) => (await readFileAs(`{\\rtf1\\ansi\n${body}}`, 'a.rtf')).text;

describe('RTF loses no text', () => {
  it.each([
    ['before a group that is left out', 'hello {\\*\\foo b}rest', 'hello rest'],
    ['before a bookmark', 'Pond rules{\\*\\bkmkstart r}{\\*\\bkmkend r} for newts', 'Pond rules for newts'],
    ['before a picture', 'left {\\pict\\wmetafile8 0102}right', 'left right'],
    ['before another font', "{\\fonttbl{\\f0 A;}{\\f1\\fcharset204 B;}}ab\\f1\\'ea\\'ee\\f0 cd", 'abкоcd'],
    [
      'at the end of a group with a font',
      "{\\fonttbl{\\f0 A;}{\\f1\\fcharset204 B;}}{\\f1\\'ea\\'ee}cd",
      'коcd',
    ],
    ['after \\plain', "{\\fonttbl{\\f0 A;}{\\f1\\fcharset204 B;}}\\f1\\'ea\\plain\\'e9", 'кé'],
    [
      'of double-byte characters in a run',
      "\\ansicpg932 \\'93\\'fa\\'96\\'7b{\\b\\'8c\\'ea}\\'83\\\\\\'81\\{",
      '日本語ソ＋',
    ],
    ['behind a \\u without replacement', '{\\u214}land {\\u8217}s', 'Öland ’s'],
    ['behind a \\u whose replacement is a symbol or a word', 'a\\u160\\~b\\u8212\\emdash c', 'a\u00a0b—c'],
    ['behind a \\u that a word follows', 'a\\u8212\\b b', 'a—b'],
    ['behind a pair of \\u', '\\uc1\\u-10179 ?\\u-9152 ?x', '👀x'],
    ['around a hard hyphen', 'a\\_b\\-c', 'a\u2011b\u00adc'],
    [
      'of cells without the end of their row',
      '\\trowd\\intbl one\\cell two\\cell',
      '| one | two |\n| --- | --- |',
    ],
  ])('%s', async (_, body, expected) => {
    expect(await rtf(body)).toBe(expected);
  });

  it('keeps the bytes of one double-byte character together over a line break of the file', async () => {
    expect(await rtf("\\ansicpg932 \\'93\r\n\\'fa")).toBe('日');
  });
});

describe('RTF notes stand in brackets at their mark, hidden text and comments do not', () => {
  it('of LibreOffice', async () => {
    const bytes = await readFile(new URL('./fixtures/libreoffice-notes.rtf', import.meta.url));
    expect((await readFileAs(bytes, 'a.rtf')).text.split('\n\n')).toEqual([
      '# Pond rules for newts',
      'The newt sleeps under the stone. (The crested newt is protected since 1979.) It wakes in March.',
      'Mind this line of reeds.',
      'Feed at dawn. Clean at dusk.',
      'Last words end here (An endnote on Öland.).',
    ]);
  });

  it('of pandoc', async () => {
    const bytes = await readFile(new URL('./fixtures/pandoc-notes.rtf', import.meta.url));
    expect((await readFileAs(bytes, 'a.rtf')).text.split('\n\n')).toEqual([
      'Newt notes',
      '# Pond rules',
      'The newt sleeps under the stone. (The crested newt is protected since 1979.) It wakes in March.',
      '## Feeding times',
      'Feed at dawn.',
    ]);
  });

  it.each([
    ['a note of Word', 'a{\\footnote\\pard\\plain {\\super\\chftn} b\\par c}d', 'a (b c)d'],
    ['a note in a cell', '\\trowd\\intbl one{\\*\\footnote\\pard two}\\cell\\row', '| one (two) |\n| --- |'],
    ['a note in what is left out', 'a{\\header b{\\*\\footnote c}}d', 'ad'],
    ['hidden, until it is not', 'a {\\v b \\v0 c}{\\v d\\plain  e} {\\deleted f}g', 'a c e g'],
    ["a list's mark", "{\\listtext\\'b7\\tab}one\\par{\\listtext\\tab}two", '- one\n\ntwo'],
  ])('%s', async (_, body, expected) => {
    expect(await rtf(body)).toBe(expected);
  });
});
