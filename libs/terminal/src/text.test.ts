import stringWidth from 'string-width';
import { expect, test } from 'vitest';
import { clip, fit, harmless, harmlessLines, widthOf } from './text.ts';

test.each([
  ['plain', 5],
  ['漢字', 4],
  ['é', 1],
  ['e\u0301', 1],
  ['👩‍💻', 2],
  ['', 0],
])('%s takes %i columns', (text, columns) => expect(widthOf(text)).toBe(columns));

test('the short cut says what the tables say', () => {
  const ranges = [
    [0x20, 0x7e],
    [0xa0, 0xac],
    [0xae, 0x2ff],
    [0x2010, 0x2026],
    [0x2030, 0x203b],
    [0x2248, 0x2248],
    [0x2500, 0x259f],
  ] as const;
  for (const [from, to] of ranges) {
    for (let code = from; code <= to; code += 1) {
      const letter = String.fromCodePoint(code);
      expect(stringWidth(`x${letter}x`), `U+${code.toString(16)}`).toBe(3);
      expect(widthOf(letter)).toBe(1);
    }
  }
});

test('a cut never leaves half a letter, and says that it cut', () => {
  expect(clip('漢字漢字', 8)).toBe('漢字漢字');
  expect(clip('漢字漢字', 7)).toBe('漢字漢…');
  expect(clip('漢字漢字', 6)).toBe('漢字…');
  expect(clip('abc', 1)).toBe('…');
  expect(clip('abc', 0)).toBe('');
});

test.each([0, 1, 2, 3, 4, 5, 6, 7, 20])('fit fills exactly %i columns', (columns) => {
  for (const text of ['', 'abc', '漢字漢', 'a漢b字', '👩‍💻👩‍💻', 'e\u0301e\u0301e\u0301']) {
    expect(widthOf(fit(text, columns))).toBe(columns);
    expect(widthOf(fit(text, columns, 'right'))).toBe(columns);
  }
});

test('what could steer a terminal is taken out', () => {
  expect(harmless('a\x1b[31mred\x1b[0m')).toBe('ared');
  expect(harmless('two\nlines\x07\u202eturned')).toBe('two lines  turned');
  expect(harmless('a\x1b]0;title\x07b')).toBe('ab');
});

test('keeps lines and tabs, and nothing that steers a terminal, however it was cut', () => {
  const hostile = 'Two years.\r\n\u001b]52;c;ZXZpbA==\u0007\u001b[2J\u009b31mred\tcell\u202e\n';
  expect(harmlessLines(hostile)).toBe('Two years.\n]52;c;ZXZpbA==[2J31mred\tcell\n');
  for (let at = 0; at <= hostile.length; at += 1) {
    const shown = harmlessLines(hostile.slice(0, at)) + harmlessLines(hostile.slice(at));
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    expect(shown).not.toMatch(/[\u001b\u009b\u0007\u202e]/);
  }
});
