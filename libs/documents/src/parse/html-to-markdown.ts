import { Parser } from 'htmlparser2';
import { inLine, markdownOfRows } from './markdown-table.ts';
import { maxNesting, nestedTooDeep } from './parsed-text.ts';

/**
 * HTML as Markdown of the kind the chunker reads: headings, paragraphs, lists, tables, code. Links, emphasis and
 * images are reduced to their text, and nothing is escaped: a backslash in the stored text would stand in every
 * citation.
 *
 * Own code over a streaming parser, because Turndown glues its output together block by block (the time grows with
 * the square: 10 MB take minutes) and walks the tree by recursion, which a page of 100,000 nested elements ends.
 *
 * An element that is written as a whole (list item, quote, cell) has a sink of its own, in which its blocks gather
 * until it ends:
 *
 *   text ──► sink.inline ──(a block begins or ends)──► sink.blocks ──(the element ends)──► a block of the sink below
 */
export function htmlToMarkdown(html: string, options: { skip?: readonly string[] } = {}): HtmlText {
  const writer = new MarkdownWriter(new Set([...skippedElements, ...(options.skip ?? [])]));
  const parser = new Parser(
    {
      onopentag: (name, attributes) => writer.open(name, attributes),
      ontext: (text) => writer.text(text),
      onclosetag: (name) => writer.close(name),
    },
    { decodeEntities: true, lowerCaseTags: true },
  );
  for (let at = 0; at < html.length; at += partCharacters) parser.write(html.slice(at, at + partCharacters));
  parser.end();
  return writer.finish();
}

export interface HtmlText {
  markdown: string;
  /** The `title` element's text. */
  title: string | null;
  /** The first heading's text. */
  heading: string | null;
}

interface Sink {
  blocks: string[];
  inline: string;
  /** Asking the string itself would flatten it at every piece of text. */
  endsInSpace: boolean;
}

interface Table {
  rows: { cells: string[]; blocks: string[][] }[];
}

const partCharacters = 1024 * 1024;
const skippedElements = [
  'script',
  'style',
  'template',
  'noscript',
  'svg',
  'canvas',
  'audio',
  'video',
  'iframe',
  'object',
];
const blockElements = new Set(
  'address article aside body center dd details dialog div dl dt fieldset figcaption figure footer form header hr html legend main menu nav option p section summary thead tbody tfoot caption'.split(
    ' ',
  ),
);
const headingPattern = /^h[1-6]$/;
const deepestIndent = 8;

class MarkdownWriter {
  readonly #skipped: ReadonlySet<string>;
  readonly #sinks: Sink[] = [{ blocks: [], inline: '', endsInSpace: true }];
  readonly #lists: { ordered: boolean; next: number; items: string[] }[] = [];
  readonly #tables: Table[] = [];
  #depth = 0;
  #skipDepth = 0;
  #preDepth = 0;
  #inHead = false;
  #title: string | null = null;
  #inTitle = false;
  #heading: string | null = null;

  constructor(skipped: ReadonlySet<string>) {
    this.#skipped = skipped;
  }

  open(name: string, attributes: Record<string, string>): void {
    this.#depth += 1;
    if (this.#depth > maxNesting) throw nestedTooDeep('HTML elements');
    if (this.#skipDepth > 0 || this.#skipped.has(name)) {
      this.#skipDepth += 1;
      return;
    }
    if (name === 'head') this.#inHead = true;
    else if (name === 'title') {
      this.#inTitle = true;
      this.#title ??= '';
    } else if (name === 'br') this.#append('\n');
    else if (name === 'img') this.text(attributes.alt ?? '');
    else if (name === 'pre') {
      this.#endBlock();
      this.#preDepth += 1;
    } else if (name === 'ul' || name === 'ol') {
      this.#endBlock();
      this.#lists.push({
        ordered: name === 'ol',
        next: Number.parseInt(attributes.start ?? '1', 10) || 1,
        items: [],
      });
    } else if (name === 'table') {
      this.#endBlock();
      this.#tables.push({ rows: [] });
    } else if (name === 'tr') this.#tables.at(-1)?.rows.push({ cells: [], blocks: [] });
    else if (
      name === 'li' ||
      name === 'blockquote' ||
      ((name === 'td' || name === 'th') && this.#tables.length > 0)
    ) {
      this.#endBlock();
      this.#sinks.push({ blocks: [], inline: '', endsInSpace: true });
    } else if (blockElements.has(name) || headingPattern.test(name)) this.#endBlock();
  }

  text(text: string): void {
    if (this.#skipDepth > 0) return;
    if (this.#inTitle) this.#title += text;
    else if (!this.#inHead) this.#append(this.#preDepth > 0 ? text : text.replace(/[ \t\n\r\f]+/g, ' '));
  }

  close(name: string): void {
    this.#depth -= 1;
    if (this.#skipDepth > 0) {
      this.#skipDepth -= 1;
      return;
    }
    if (name === 'head') this.#inHead = false;
    else if (name === 'title') this.#inTitle = false;
    else if (name === 'pre') this.#endCode();
    else if (name === 'ul' || name === 'ol') this.#endList();
    else if (name === 'table') this.#endTable();
    else if (name === 'li') this.#endItem();
    else if (name === 'blockquote') {
      const quoted = this.#pop().join('\n\n');
      if (quoted !== '') this.#push(quoted.replace(/^/gm, '> '));
    } else if (name === 'td' || name === 'th') this.#endCell();
    else if (headingPattern.test(name)) this.#endHeading(Number(name[1]));
    else if (blockElements.has(name)) this.#endBlock();
  }

  finish(): HtmlText {
    while (this.#tables.length > 0) this.#endTable();
    while (this.#sinks.length > 1) for (const block of this.#pop()) this.#push(block);
    this.#endBlock();
    const title = this.#title === null ? '' : inLine(this.#title.replace(/\s+/g, ' '));
    return {
      markdown: this.#top().blocks.join('\n\n').toWellFormed(),
      title: title === '' ? null : title,
      heading: this.#heading,
    };
  }

  #top(): Sink {
    const sink = this.#sinks.at(-1);
    if (sink === undefined) throw new RangeError('the outermost sink was closed');
    return sink;
  }

  #append(text: string): void {
    const sink = this.#top();
    const added = this.#preDepth === 0 && sink.endsInSpace && text.startsWith(' ') ? text.slice(1) : text;
    if (added === '') return;
    sink.inline += added;
    sink.endsInSpace = /\s$/.test(added.slice(-1));
  }

  #clear(sink: Sink): void {
    sink.inline = '';
    sink.endsInSpace = true;
  }

  #push(block: string): void {
    this.#top().blocks.push(block);
  }

  #endBlock(): void {
    const sink = this.#top();
    const text = this.#preDepth > 0 ? '' : sink.inline.replace(/ *\n */g, '\n').trim();
    if (this.#preDepth > 0) return;
    this.#clear(sink);
    if (text !== '') sink.blocks.push(text);
  }

  #pop(): string[] {
    this.#endBlock();
    return this.#sinks.length > 1 ? (this.#sinks.pop()?.blocks ?? []) : [];
  }

  #endHeading(level: number): void {
    const sink = this.#top();
    const text = inLine(sink.inline);
    this.#clear(sink);
    if (text === '') return;
    this.#heading ??= text;
    // A heading in a cell is a bold line, not a section of the document.
    sink.blocks.push(
      this.#tables.length > 0 && this.#sinks.length > 1 ? text : `${'#'.repeat(level)} ${text}`,
    );
  }

  #endCode(): void {
    if (this.#preDepth === 0) return;
    this.#preDepth -= 1;
    if (this.#preDepth > 0) return;
    const sink = this.#top();
    const code = sink.inline.replace(/^\r?\n/, '').trimEnd();
    this.#clear(sink);
    if (code.trim() === '') return;
    const longest = code.match(/`{3,}/g)?.reduce((most, run) => Math.max(most, run.length), 0) ?? 2;
    const fence = '`'.repeat(longest + 1);
    sink.blocks.push(`${fence}\n${code}\n${fence}`);
  }

  #endItem(): void {
    if (this.#sinks.length === 1) {
      this.#endBlock();
      return;
    }
    const blocks = this.#pop();
    const list = this.#lists.at(-1);
    if (list === undefined) {
      for (const block of blocks) this.#push(block);
      return;
    }
    if (blocks.length === 0) return;
    const mark = list.ordered ? `${list.next}. ` : '- ';
    list.next += 1;
    const indent = this.#lists.length > deepestIndent ? '' : ' '.repeat(mark.length);
    list.items.push(mark + blocks.join('\n').replace(/\n(?=[^\n])/g, `\n${indent}`));
  }

  #endList(): void {
    this.#endBlock();
    const list = this.#lists.pop();
    if (list !== undefined && list.items.length > 0) this.#push(list.items.join('\n'));
  }

  #endCell(): void {
    const table = this.#tables.at(-1);
    if (table === undefined || this.#sinks.length === 1) return;
    const blocks = this.#pop();
    let row = table.rows.at(-1);
    if (row === undefined) {
      row = { cells: [], blocks: [] };
      table.rows.push(row);
    }
    row.cells.push(inLine(blocks.join(' ')));
    row.blocks.push(blocks);
  }

  /** Within a cell a table becomes a line; a table that only lays a page out (one column, long cells) becomes its blocks. */
  #endTable(): void {
    this.#endBlock();
    const rows = this.#tables.pop()?.rows.filter(({ cells }) => cells.some((cell) => cell !== '')) ?? [];
    if (rows.length === 0) return;
    if (this.#tables.length > 0) {
      this.#push(rows.map(({ cells }) => cells.filter((cell) => cell !== '').join(', ')).join('; '));
      return;
    }
    const isLayout =
      rows.every(({ cells }) => cells.length <= 1) ||
      rows.some(({ blocks }) => blocks.some((cell) => cell.length > 8 && cell.join('').length > 2000));
    if (!isLayout) this.#push(markdownOfRows(rows.map(({ cells }) => cells)));
    else
      for (const { blocks } of rows) for (const cell of blocks) for (const block of cell) this.#push(block);
  }
}
