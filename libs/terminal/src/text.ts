import { stripVTControlCharacters } from 'node:util';
import stringWidth from 'string-width';

const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' });
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const controls = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
/**
 * Letters that take one column each and steer nothing: ASCII, Latin, dashes and dots, lines and blocks. Asking the
 * width tables about every bar of a screen took most of its 80 ms.
 */
const simple = /^[\u0020-\u007e\u00a0-\u00ac\u00ae-\u02ff\u2010-\u2026\u2030-\u203b\u2248\u2500-\u259f]*$/;

/**
 * What a terminal may be sent of a foreign text (a worker's name, a server's reason): no escape sequence, no
 * control character, no mark that turns the direction of writing.
 */
export function harmless(text: string): string {
  return simple.test(text) ? text : stripVTControlCharacters(text).replace(controls, ' ');
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const steering = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

/**
 * The same of a text of several lines, or of a piece of one that is on its way: an escape sequence loses what makes it
 * one, wherever it was cut, and is left as letters. An answer quotes documents, and a document may tell a terminal to
 * write into the clipboard.
 */
export function harmlessLines(text: string): string {
  return text.replaceAll('\r\n', '\n').replace(steering, '');
}

/** Columns a text takes on a terminal: a Chinese letter or an emoji two, a combining mark none. */
export function widthOf(text: string): number {
  return simple.test(text) ? text.length : stringWidth(text);
}

/** The text in at most so many columns; `…` stands for what was cut. */
export function clip(text: string, columns: number): string {
  const safe = harmless(text);
  if (widthOf(safe) <= columns) return safe;
  if (columns <= 0) return '';
  let kept = '';
  let width = 0;
  for (const { segment } of segmenter.segment(safe)) {
    const more = widthOf(segment);
    if (width + more > columns - 1) break;
    kept += segment;
    width += more;
  }
  return `${kept}…`;
}

/** The text in exactly so many columns. */
export function fit(text: string, columns: number, align: 'left' | 'right' = 'left'): string {
  const shown = clip(text, columns);
  const gap = ' '.repeat(Math.max(0, columns - widthOf(shown)));
  return align === 'left' ? shown + gap : gap + shown;
}
