/** A run of text as pdf.js gives it: where it begins (e, f of its matrix), how wide and how high it is. */
export interface PdfItem {
  str: string;
  dir: string;
  transform: number[];
  width: number;
  height: number;
  hasEOL: boolean;
}

interface Line {
  text: string;
  left: number;
  right: number;
  y: number;
  height: number;
  isRtl: boolean;
  /** Has a gap wide enough to part columns of a table. */
  isTabular: boolean;
}

const bulletPattern = /^(?:[•◦▪‣–—*·]|[-+]\s|\(?\d{1,3}[.)]\s|\(?[a-z][.)]\s)/;
const wordBreak = /\p{L}[-\u2010\u00ad]$/u;

/**
 * A page's text out of its runs, in the order the page draws them (which is the order of reading in what office
 * programs and TeX write). Lines that fill their column are joined to a paragraph, a word parted at a line's end is
 * made whole; a wider gap, another size of type, a list's mark and table rows keep their line break.
 */
export function textOfPage(items: readonly PdfItem[]): string {
  const lines = linesOf(items);
  const usualGap = median(
    lines.flatMap((line, at) => {
      const gap = (lines[at - 1]?.y ?? line.y) - line.y;
      return gap > 0 && gap < line.height * 3 ? [gap] : [];
    }),
  );
  let text = '';
  for (const [at, line] of lines.entries()) {
    const before = lines[at - 1];
    if (before === undefined) text = line.text;
    else if (isNewBlock(before, line, usualGap)) text += `\n\n${line.text}`;
    else if (!continues(before, line, lines)) text += `\n${line.text}`;
    else if (wordBreak.test(text) && /^\p{Ll}/u.test(line.text)) text = text.slice(0, -1) + line.text;
    else text += ` ${line.text}`;
  }
  return text;
}

function linesOf(items: readonly PdfItem[]): Line[] {
  const lines: Line[] = [];
  let line: Line | null = null;
  /** Where the last run begins: of numbers between right-to-left words pdf.js does not tell the space. */
  let lastLeft = 0;
  const end = () => {
    const text = line?.text.replace(/\s+/g, ' ').trim() ?? '';
    if (line !== null && text !== '') lines.push({ ...line, text });
    line = null;
  };
  for (const { str, dir, transform, width, height, hasEOL } of items) {
    const [, , , , x = 0, y = 0] = transform;
    if (str.trim() !== '') {
      if (line === null)
        line = { text: '', left: x, right: x, y, height, isRtl: dir === 'rtl', isTabular: false };
      const gap = Math.max(x - line.right, line.left - (x + width));
      const leap = lastLeft - (x + width);
      const isTurned = line.isRtl || dir === 'rtl';
      if (isTurned && leap > height * 0.12 && leap < height * 2 && /\S$/.test(line.text) && /^\S/.test(str))
        line.text += ' ';
      lastLeft = x;
      if (line.text !== '' && gap > Math.max(height, line.height) * 2) line.isTabular = true;
      line.left = Math.min(line.left, x);
      line.right = Math.max(line.right, x + width);
      line.height = Math.max(line.height, height);
      line.isRtl ||= dir === 'rtl';
    }
    if (line !== null) line.text += str;
    if (hasEOL) end();
  }
  end();
  return lines;
}

function isNewBlock(before: Line, line: Line, usualGap: number): boolean {
  const gap = before.y - line.y;
  const size = Math.max(before.height, line.height);
  if (Math.abs(before.height - line.height) > size * 0.15) return true;
  // Upwards: the next column, where a sentence may go on.
  if (gap < -size) return /[.!?:。؟]["'”’)]?$/.test(before.text);
  return gap > Math.max(usualGap * 1.35, size * 1.2);
}

function continues(before: Line, line: Line, lines: readonly Line[]): boolean {
  if (bulletPattern.test(line.text) || before.isTabular || line.isTabular) return false;
  const edge = (one: Line) => (before.isRtl ? one.right : one.left);
  const inColumn = lines.filter((other) => Math.abs(edge(other) - edge(before)) < before.height * 3);
  const widest = inColumn.reduce((most, other) => Math.max(most, other.right - other.left), 0);
  const isFull = before.right - before.left >= widest * 0.75;
  return isFull || (/^\p{Ll}/u.test(line.text) && !/[.!?:]$/.test(before.text));
}

function median(values: number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
