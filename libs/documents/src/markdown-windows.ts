import type { Segment } from './outline.ts';

/**
 * Cuts a Markdown text into windows that are parsed one by one. The parser's time grows with the square
 * of a long list or paragraph (144 kB of nested list items: 23 s; 300 kB of short lines: 8 s), so no
 * window may hold much more than a few kilobytes of either. Windows end where the block structure starts
 * anew anyway: before a heading, before an unindented line after a blank one, before a top-level list
 * item; in a text without such places before any line, which at worst makes two paragraphs of one.
 *
 * Fenced code, HTML comments and tables are kept in one window up to `hardLimitCharacters`, because the lines in
 * them mean something else (and a row needs its header).
 */
export interface MarkdownWindow {
  start: number;
  end: number;
  /** `lines`: not to be parsed: code that outgrew a window, or a line too long to be anything but data. */
  kind: 'markdown' | 'lines';
  /** Of lines that are the rest of a long table: where its header row stands. */
  tableHeader: Segment['tableHeader'];
}

const softLimitCharacters = 2 * 1024;
const lineLimitCharacters = 8 * 1024;
const hardLimitCharacters = 64 * 1024;

const fencePattern = /^[ \t]*(?:>[ \t]*)*(`{3,}|~{3,})(.*)$/;
const headingPattern = /^#{1,6}(?:[ \t]|$)/;
const itemPattern = /^(?:[-+*]|\d{1,9}[.)])[ \t]/;
const rowPattern = /^[ \t>]*\|/;
const rulePattern = /^[ \t>]*\|?(?:[ \t]*:?-+:?[ \t]*\|)+[ \t]*(?::?-+:?[ \t]*)?$/;
const blankPattern = /^[ \t]*$/;
const rawHtmlPattern = /^ {0,3}<(?:!--|(pre|script|style|textarea)\b)/i;

export function* markdownWindows(text: string, from: number): Generator<MarkdownWindow> {
  let start = from;
  let lineBefore: { start: number; end: number; isRow: boolean } | null = null;
  /** Of the table that the line at hand continues, and of the window of lines that is open. */
  let tableHeader: MarkdownWindow['tableHeader'] = null;
  let windowHeader: MarkdownWindow['tableHeader'] = null;
  let fence: string | null = null;
  let rawHtmlEnd: RegExp | null = null;
  let asLines = false;
  let afterBlank = false;

  function* cutBefore(position: number): Generator<MarkdownWindow> {
    const kind = asLines ? 'lines' : 'markdown';
    if (position > start) yield { start, end: position, kind, tableHeader: asLines ? windowHeader : null };
    start = position;
  }

  for (let position = from; position < text.length; ) {
    const next = nextLine(text, position);
    const tooLong = next - position > hardLimitCharacters;
    const line = tooLong ? '' : text.slice(position, next).replace(/[\r\n]+$/, '');
    const size = position - start;

    if (tooLong) {
      yield* cutBefore(position);
      asLines = true;
      windowHeader = null;
      yield* cutBefore(next);
      asLines = fence !== null;
    } else if (fence !== null) {
      const closes = closesFence(line, fence);
      if (!asLines && size > hardLimitCharacters) {
        yield* cutBefore(position);
        asLines = true;
        windowHeader = null;
      }
      if (closes) fence = null;
    } else {
      const row = rowPattern.test(line);
      if (row && lineBefore?.isRow === true && rulePattern.test(line)) tableHeader = lineBefore;
      else if (!row) tableHeader = null;
      if (
        !(asLines && row) &&
        (asLines ||
          size > hardLimitCharacters ||
          (rawHtmlEnd === null && isPlaceToCut(line, size, afterBlank)))
      ) {
        yield* cutBefore(position);
        // A table that outgrew its window has lost its header for the parser, which would take the rest for a paragraph.
        asLines = row && size > hardLimitCharacters;
        windowHeader = asLines ? tableHeader : null;
        if (size > hardLimitCharacters) rawHtmlEnd = null;
      }
      rawHtmlEnd = rawHtmlAfter(line, rawHtmlEnd);
      if (rawHtmlEnd === null) fence = fencePattern.exec(line)?.[1] ?? null;
    }
    lineBefore = { start: position, end: position + line.length, isRow: !tooLong && rowPattern.test(line) };
    afterBlank = blankPattern.test(line);
    position = next;
  }
  yield* cutBefore(text.length);
}

function isPlaceToCut(line: string, size: number, afterBlank: boolean): boolean {
  if (blankPattern.test(line)) return false;
  const unindented = !/^[ \t]/.test(line);
  if (
    size > softLimitCharacters &&
    unindented &&
    (afterBlank || headingPattern.test(line) || itemPattern.test(line))
  )
    return true;
  return size > lineLimitCharacters && !rowPattern.test(line) && !/^[=-]+\s*$/.test(line);
}

function closesFence(line: string, fence: string): boolean {
  const found = fencePattern.exec(line);
  const mark = found?.[1];
  return (
    mark !== undefined &&
    mark[0] === fence[0] &&
    mark.length >= fence.length &&
    blankPattern.test(found?.[2] ?? '')
  );
}

/** What ends the raw HTML that this line opens or continues; null outside of any. */
function rawHtmlAfter(line: string, open: RegExp | null): RegExp | null {
  if (open !== null) return open.test(line) ? null : open;
  const found = rawHtmlPattern.exec(line);
  if (found === null) return null;
  const end = found[1] === undefined ? /-->/ : new RegExp(`</${found[1]}>`, 'i');
  return end.test(line) ? null : end;
}

/** Where the line after the one at `position` starts: after \n, \r\n or a lone \r. */
export function nextLine(text: string, position: number): number {
  const feed = text.indexOf('\n', position);
  const end = feed === -1 ? text.length : feed + 1;
  const carriage = text.slice(position, Math.min(end, position + hardLimitCharacters)).indexOf('\r');
  if (carriage === -1) return end;
  const after = position + carriage + 1;
  return text[after] === '\n' ? after + 1 : after;
}
