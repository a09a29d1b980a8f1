import { stemsOf } from './stems.ts';

export interface Sentence {
  /** One line, without Markdown's line marks and without anything that looks like a citation mark. */
  text: string;
  stems: ReadonlySet<string>;
  wordCount: number;
  /** How well it serves as an answer: prose 1, table rows, lines of code and headings less. */
  weight: number;
}

export interface SplitText {
  sentences: readonly Sentence[];
  /** Of all sentences together. */
  stems: ReadonlySet<string>;
}

const rowWeight = 0.6;
const codeWeight = 0.4;

// The same chunks are retrieved again and again: splitting them once took a request from 0.6 to 0.16 ms of CPU.
const remembered = new Map<string, SplitText>();
const maxRemembered = 2048;

/** Sentences of a passage of prose or Markdown; headings only when there is nothing else. */
export function sentencesOf(text: string): SplitText {
  const known = remembered.get(text);
  if (known !== undefined) return known;
  const { prose, rows, code, headings } = blocksOf(text);
  const sentences = [
    ...prose.flatMap(splitBlock).map((line) => sentenceOf(line, 1)),
    ...rows.map((line) => sentenceOf(line, rowWeight)),
    ...code.map((line) => sentenceOf(line, codeWeight)),
  ];
  if (sentences.length === 0) sentences.push(...headings.map((line) => sentenceOf(line, codeWeight)));
  if (remembered.size >= maxRemembered) remembered.clear();
  const split = { sentences, stems: new Set(sentences.flatMap((sentence) => [...sentence.stems])) };
  remembered.set(text, split);
  return split;
}

function sentenceOf(line: string, weight: number): Sentence {
  return { text: line, stems: new Set(stemsOf(line)), wordCount: line.split(' ').length, weight };
}

/** Paragraphs (hard-wrapped lines joined), and every list item, table row and quote as a block of its own. */
function blocksOf(text: string): Record<'prose' | 'rows' | 'code' | 'headings', string[]> {
  const prose: string[] = [];
  const rows: string[] = [];
  const code: string[] = [];
  const headings: string[] = [];
  let paragraph: string[] = [];
  let inFence = false;
  const flush = (): void => {
    if (paragraph.length > 0) prose.push(paragraph.join(' '));
    paragraph = [];
  };
  for (const raw of text.split('\n')) {
    const line = raw.trim();
    if (/^(?:```|~~~)/.test(line)) {
      flush();
      inFence = !inFence;
    } else if (inFence) {
      if (line !== '') code.push(tidy(line));
    } else if (line === '' || /^(?:[-=*_`~]{3,}.*|\|[\s:|-]+\|?)$/.test(line)) flush();
    else if (/^#{1,6}\s/.test(line) || line.includes(' › ')) {
      // A line of `Title › Section` is the heading path that stands in front of a piece.
      flush();
      headings.push(tidy(line.replace(/^#+\s+/, '')));
    } else if (line.startsWith('|')) {
      flush();
      rows.push(
        ...splitBlock(
          line
            .split('|')
            .map((cell) => cell.trim())
            .filter(Boolean)
            .join(', '),
        ),
      );
    } else {
      const item = line.replace(/^(?:[-*+>]|\d{1,3}[.)])\s+/, '');
      if (item !== line) flush();
      paragraph.push(item);
    }
  }
  flush();
  return { prose, rows, code: code.filter(Boolean), headings: headings.filter(Boolean) };
}

const sentenceEnd = /(?<=[.!?]["')\]`*]?)\s+(?=["'([`*]?[\p{Lu}\p{N}])|(?<=[。！？])/u;

function splitBlock(block: string): string[] {
  const sentences: string[] = [];
  let pending = '';
  for (const part of block.split(sentenceEnd)) {
    pending = pending === '' ? part : `${pending} ${part}`;
    // `e.g. Redis` or `3. Next` are not sentences: fewer than three words wait for what follows.
    if (/\S+\s+\S+\s+\S/.test(pending) || /[。！？]$/u.test(pending)) {
      sentences.push(pending);
      pending = '';
    }
  }
  if (pending !== '') sentences.push(pending);
  const tidied = sentences.map(tidy).filter(Boolean);
  const statements = tidied.filter((sentence) => !/[?？]$/u.test(sentence));
  return statements.length > 0 ? statements : tidied;
}

/** One line without emphasis and link targets. A passage may quote footnotes; only the mock's own marks may look like marks. */
function tidy(text: string): string {
  return text
    .replace(/\[\^?\d+(?:\s*,\s*\d+)*\]/g, '')
    .replace(/\[([^[\]]+)\]\([^()\s]*\)/g, '$1')
    .replace(/\*\*|__(?=\w)|(?<=\w)__/g, '')
    .replace(/\s+/g, ' ')
    .trim();
}
