import { styleText } from 'node:util';
import { clip, harmless, widthOf } from './text.ts';

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan' | 'magenta' | 'blue' | 'inverse';

export interface Span {
  text: string;
  styles: readonly Style[];
}

/** One line of a screen. Styles stay apart from the text until it is painted, so that widths are those of the text. */
export type Line = readonly (string | Span)[];

export function span(text: string, ...styles: Style[]): Span {
  return { text, styles };
}

export function textOf(line: Line): string {
  return line.map((part) => harmless(typeof part === 'string' ? part : part.text)).join('');
}

/** The line in at most so many columns. */
export function clipLine(line: Line, columns: number): Line {
  if (widthOf(textOf(line)) <= columns) return line;
  const kept: (string | Span)[] = [];
  let left = columns;
  for (const part of line) {
    const { text, styles } = typeof part === 'string' ? { text: part, styles: [] } : part;
    const width = widthOf(harmless(text));
    // The part that no longer fits ends in `…`; one that just fits needs room for it if more follows.
    const isCut = width >= left;
    kept.push({ text: isCut ? clip(width === left ? `${text}  ` : text, left) : text, styles });
    left -= width;
    if (isCut) break;
  }
  return kept;
}

/** `left` and `right` at the two ends of a line of so many columns; `left` gives way. */
export function spread(left: Line, right: Line, columns: number): Line {
  const room = columns - widthOf(textOf(right)) - 1;
  if (room < 1) return clipLine(left, columns);
  const shown = clipLine(left, room);
  return [...shown, ' '.repeat(room + 1 - widthOf(textOf(shown))), ...right];
}

/** What is written: with colours (SGR sequences), or the bare text. */
export function paint(line: Line, options: { colour: boolean }): string {
  if (!options.colour) return textOf(line).trimEnd();
  return line
    .map((part) => {
      if (typeof part === 'string') return harmless(part);
      const text = harmless(part.text);
      return part.styles.length === 0 ? text : styleText([...part.styles], text, { validateStream: false });
    })
    .join('');
}
