import { type Archive, lockedDocument, withArchive } from './archive.ts';
import { inLine, markdownOfRows } from './markdown-table.ts';
import { PageWriter } from './page-writer.ts';
import { assertWithin, type ParsedText, type ParseLimits, type ParseRequest } from './parsed-text.ts';
import { withoutEmptyColumns } from './read-xlsx.ts';
import { readXmlEvents, textsOf } from './xml-events.ts';

/**
 * ODT: headings, paragraphs, lists, tables, notes (in brackets at their mark); no pages, because only a layout has
 * any. Comments, tracked changes and what a style hides are left out.
 */
export async function readOdt(request: ParseRequest): Promise<ParsedText> {
  return withOpenDocument(request, (content, title) => {
    const { pages, heading } = readContent(content, request.limits);
    return {
      ...asOne(pages, request.limits),
      mediaType: 'text/markdown',
      pages: null,
      title: title ?? heading,
    };
  });
}

/** ODP: a slide is a page; its notes stand behind its text. ODS: a sheet is a page. */
export async function readPagedOpenDocument(request: ParseRequest): Promise<ParsedText> {
  return withOpenDocument(request, (content, title) => {
    const { pages, heading } = readContent(content, request.limits);
    const writer = new PageWriter(request.limits);
    for (const page of pages.slice(1)) writer.add(page.join('\n\n'));
    request.onProgress(pages.length - 1, pages.length - 1, 'pages');
    return { ...writer.finish(), mediaType: 'text/markdown', title: title ?? heading };
  });
}

function asOne(pages: string[][], limits: ParseLimits): { text: string } {
  const writer = new PageWriter(limits);
  writer.add(pages.flat().join('\n\n'));
  return { text: writer.finish().text };
}

async function withOpenDocument(
  request: ParseRequest,
  use: (content: string, title: string | null) => ParsedText,
): Promise<ParsedText> {
  return withArchive(request, async (archive) => {
    if (await isLocked(archive)) throw lockedDocument();
    const meta = archive.has('meta.xml')
      ? textsOf(await archive.readXml('meta.xml'), 'dc:title')[0]?.trim()
      : '';
    return use(await archive.readXml('content.xml'), meta === '' || meta === undefined ? null : meta);
  });
}

async function isLocked(archive: Archive): Promise<boolean> {
  const manifest = 'META-INF/manifest.xml';
  if (!archive.has(manifest)) return false;
  return /<(?:\w+:)?encryption-data[\s>]/.test((await archive.read(manifest)).toString('utf8'));
}

const maxRepeatedCells = 1000;

interface Table {
  name: string;
  rows: string[][];
  row: string[];
  rowRepeats: number;
  cellRepeats: number;
  isSheet: boolean;
}

/** Comments of readers, and a note's number, which says nothing where its text stands. */
const leftOut = new Set([
  'text:tracked-changes',
  'office:forms',
  'table:covered-table-cell',
  'office:annotation',
  'text:note-citation',
]);

/** `pages[0]` is what stands outside of slides and sheets. */
function readContent(xml: string, limits: ParseLimits): { pages: string[][]; heading: string | null } {
  const pages: string[][] = [[]];
  /** Where blocks go: a page, a cell, a note. */
  const sinks: string[][] = [pages[0] ?? []];
  const paragraphs: string[] = [];
  const tables: Table[] = [];
  const lists: { items: number }[] = [];
  let heading: string | null = null;
  let level = 0;
  let skipped = 0;
  let inSpreadsheet = false;
  let isTitle = false;
  let style = '';
  /** Styles of text that is not shown and of sheets that are not. */
  const hidingStyles = new Set<string>();

  const push = (block: string) => {
    if (block.trim() !== '') sinks.at(-1)?.push(block);
  };
  const append = (text: string) => {
    if (skipped === 0 && paragraphs.length > 0) paragraphs[paragraphs.length - 1] += text;
  };
  const newPage = () => {
    assertWithin(limits, 'maxPages', pages.length);
    const page: string[] = [];
    pages.push(page);
    sinks[sinks.length - 1] = page;
  };

  function endParagraph(): void {
    const text = (paragraphs.pop() ?? '').replace(/ *\n */g, '\n').trim();
    if (text === '') return;
    if (level > 0 || isTitle) {
      heading ??= inLine(text);
      push(`${'#'.repeat(Math.min(6, Math.max(1, level)))} ${inLine(text)}`);
    } else if (lists.length > 0 && tables.length === 0) {
      const indent = '  '.repeat(Math.min(8, lists.length) - 1);
      const item = `${indent}- ${text.replaceAll('\n', `\n${indent}  `)}`;
      const list = lists[0];
      const sink = sinks.at(-1);
      if (list !== undefined && list.items > 0 && sink !== undefined && sink.length > 0)
        sink[sink.length - 1] += `\n${item}`;
      else push(item);
      if (list !== undefined) list.items += 1;
    } else push(text);
    level = 0;
  }

  readXmlEvents(xml, {
    open(name, attributes) {
      const isHidden =
        (name === 'text:span' && hidingStyles.has(attributes['text:style-name'] ?? '')) ||
        (name === 'table:table' && hidingStyles.has(attributes['table:style-name'] ?? ''));
      if (skipped > 0 || leftOut.has(name) || isHidden) {
        skipped += 1;
        return;
      }
      if (name === 'style:style') style = attributes['style:name'] ?? '';
      if (attributes['text:display'] === 'none' || attributes['table:display'] === 'false')
        hidingStyles.add(style);
      const repeats = (attribute: string) =>
        Math.max(1, Number.parseInt(attributes[attribute] ?? '1', 10) || 1);
      if (name === 'text:h' || name === 'text:p') {
        level = name === 'text:h' ? repeats('text:outline-level') : 0;
        paragraphs.push('');
      } else if (name === 'text:s') append(' '.repeat(Math.min(100, repeats('text:c'))));
      else if (name === 'text:tab') append('\t');
      else if (name === 'text:line-break') append('\n');
      else if (name === 'text:list') lists.push({ items: 0 });
      else if (name === 'text:note-body') {
        append(' (');
        sinks.push([]);
      } else if (name === 'office:spreadsheet') inSpreadsheet = true;
      else if (name === 'draw:page') newPage();
      else if (name === 'draw:frame') {
        isTitle = attributes['presentation:class'] === 'title';
      } else if (name === 'table:table') {
        const isSheet = tables.length === 0 && inSpreadsheet;
        if (isSheet) newPage();
        tables.push({
          name: attributes['table:name'] ?? '',
          rows: [],
          row: [],
          rowRepeats: 1,
          cellRepeats: 1,
          isSheet,
        });
      } else if (name === 'table:table-row') {
        const table = tables.at(-1);
        if (table !== undefined) {
          table.row = [];
          table.rowRepeats = repeats('table:number-rows-repeated');
        }
      } else if (name === 'table:table-cell') {
        const table = tables.at(-1);
        if (table !== undefined) table.cellRepeats = repeats('table:number-columns-repeated');
        sinks.push([]);
      }
    },
    text(text) {
      append(text.replace(/[ \t\r\n]+/g, ' '));
    },
    close(name) {
      if (skipped > 0) {
        skipped -= 1;
        if (skipped === 0 && name === 'table:covered-table-cell') tables.at(-1)?.row.push('');
        return;
      }
      if (name === 'text:h' || name === 'text:p') endParagraph();
      else if (name === 'text:list') lists.pop();
      else if (name === 'text:note-body') append(`${sinks.pop()?.map(inLine).join(' ') ?? ''})`);
      else if (name === 'draw:frame') isTitle = false;
      else if (name === 'table:table-cell') {
        const text = sinks.pop()?.map(inLine).join(' ') ?? '';
        const table = tables.at(-1);
        // The empty rest of a row or sheet is one cell repeated to the edge.
        const times = Math.min(table?.cellRepeats ?? 1, maxRepeatedCells);
        for (let time = 0; time < times; time += 1) table?.row.push(text);
      } else if (name === 'table:table-row') {
        const table = tables.at(-1);
        if (table === undefined || table.row.every((text) => text === '')) return;
        for (let time = 0; time < Math.min(table.rowRepeats, maxRepeatedCells); time += 1)
          table.rows.push(table.row);
      } else if (name === 'table:table') {
        const table = tables.pop();
        const rows = withoutEmptyColumns(table?.rows ?? []);
        if (rows.length === 0 || table === undefined) return;
        if (tables.length > 0)
          push(rows.map((row) => row.filter((text) => text !== '').join(', ')).join('; '));
        else if (table.isSheet) push(`# ${inLine(table.name)}\n\n${markdownOfRows(rows)}`);
        else push(markdownOfRows(rows));
      }
    },
  });
  return { pages, heading };
}
