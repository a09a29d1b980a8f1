import { type Archive, withArchive } from './archive.ts';
import { markdownOfRows } from './markdown-table.ts';
import { builtInFormats, type NumberFormat, shownNumber } from './number-format.ts';
import { PageWriter } from './page-writer.ts';
import { assertWithin, type ParsedText, type ParseRequest } from './parsed-text.ts';
import { coreTitle, readXmlEvents, relationsOf } from './xml-events.ts';

const workbookPattern = /^xl\/workbook\d*\.xml$/;
/** A sheet has 16,384 columns; a cell further out is none. */
const maxColumns = 16_384;

/**
 * XLSX: a sheet is a page with its name as heading and its rows as a table, values as the sheet shows them (of
 * formulas: the result that was stored). Empty rows and columns and hidden sheets are left out.
 */
export async function readXlsx(request: ParseRequest): Promise<ParsedText> {
  return withArchive(request, async (archive) => {
    const workbook = archive.names.find((name) => workbookPattern.test(name)) ?? 'xl/workbook.xml';
    const relations = await relationsOf(archive, workbook);
    const sheets: { name: string; part: string }[] = [];
    let epoch1904 = false;
    readXmlEvents(await archive.readXml(workbook), {
      open(name, attributes) {
        if (/(?:^|:)workbookPr$/.test(name)) epoch1904 = /^(?:1|true)$/.test(attributes.date1904 ?? '');
        if (!/(?:^|:)sheet$/.test(name) || /^(?:hidden|veryHidden)$/.test(attributes.state ?? '')) return;
        const part = relations.get(attributes['r:id'] ?? '')?.part;
        if (part !== undefined) sheets.push({ name: attributes.name ?? '', part });
      },
    });
    assertWithin(request.limits, 'maxPages', sheets.length);
    const partOf = (type: string) => [...relations.values()].find((relation) => relation.type === type)?.part;
    const texts = await sharedTexts(archive, partOf('sharedStrings'));
    const formats = await cellFormats(archive, partOf('styles'));
    const writer = new PageWriter(request.limits);
    for (const [index, { name, part }] of sheets.entries()) {
      const rows = archive.has(part)
        ? readSheet(await archive.readXml(part), (cell) => shownCell(cell, texts, formats, epoch1904))
        : [];
      writer.add(rows.length === 0 ? '' : `# ${name}\n\n${markdownOfRows(rows)}`);
      request.onProgress(index + 1, sheets.length, 'pages');
    }
    return { ...writer.finish(), mediaType: 'text/markdown', title: await coreTitle(archive) };
  });
}

interface Cell {
  type: string;
  style: number;
  value: string;
  inline: string;
}

function shownCell(cell: Cell, texts: string[], formats: NumberFormat[], epoch1904: boolean): string {
  const { type, value } = cell;
  if (type === 's') return texts[Number(value)] ?? '';
  if (type === 'inlineStr') return cell.inline;
  if (type === 'b') return value === '1' ? 'TRUE' : value === '0' ? 'FALSE' : value;
  if (type === 'd') return value.replace(/T00:00:00(?:\.0+)?Z?$/, '');
  if (type !== 'n' || value.trim() === '' || !Number.isFinite(Number(value))) return value;
  return shownNumber(Number(value), formats[cell.style] ?? 'General', epoch1904);
}

/** Texts that cells point at; phonetic guides (`rPh`) are no part of them. */
async function sharedTexts(archive: Archive, part: string | undefined): Promise<string[]> {
  const texts: string[] = [];
  if (part === undefined || !archive.has(part)) return texts;
  let inText = false;
  let inGuide = false;
  readXmlEvents(await archive.readXml(part), {
    open(name) {
      if (/(?:^|:)si$/.test(name)) texts.push('');
      else if (/(?:^|:)t$/.test(name)) inText = true;
      else if (/(?:^|:)rPh$/.test(name)) inGuide = true;
    },
    text(text) {
      if (inText && !inGuide) texts[texts.length - 1] += text;
    },
    close(name) {
      if (/(?:^|:)t$/.test(name)) inText = false;
      else if (/(?:^|:)rPh$/.test(name)) inGuide = false;
    },
  });
  return texts;
}

/** The number format of each cell style, in the order cells count them. */
async function cellFormats(archive: Archive, part: string | undefined): Promise<NumberFormat[]> {
  const formats: NumberFormat[] = [];
  if (part === undefined || !archive.has(part)) return formats;
  const custom = new Map<number, string>();
  let inCells = false;
  readXmlEvents(await archive.readXml(part), {
    open(name, { numFmtId, formatCode }) {
      if (/(?:^|:)numFmt$/.test(name) && formatCode !== undefined) custom.set(Number(numFmtId), formatCode);
      else if (/(?:^|:)cellXfs$/.test(name)) inCells = true;
      else if (inCells && /(?:^|:)xf$/.test(name)) {
        const id = Number(numFmtId ?? 0);
        formats.push(custom.get(id) ?? builtInFormats[id] ?? 'General');
      }
    },
    close(name) {
      if (/(?:^|:)cellXfs$/.test(name)) inCells = false;
    },
  });
  return formats;
}

function readSheet(xml: string, shown: (cell: Cell) => string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let column = -1;
  let cell: Cell | null = null;
  let field: 'value' | 'inline' | null = null;
  readXmlEvents(xml, {
    open(name, attributes) {
      const local = name.slice(name.indexOf(':') + 1);
      if (local === 'row') {
        row = [];
        column = -1;
      } else if (local === 'c') {
        column = attributes.r === undefined ? column + 1 : columnOf(attributes.r);
        cell = { type: attributes.t ?? 'n', style: Number(attributes.s ?? 0), value: '', inline: '' };
      } else if (cell !== null && local === 'v') field = 'value';
      else if (cell !== null && local === 't') field = 'inline';
    },
    text(text) {
      if (cell !== null && field !== null) cell[field] += text;
    },
    close(name) {
      const local = name.slice(name.indexOf(':') + 1);
      if (local === 'v' || local === 't') field = null;
      else if (local === 'c' && cell !== null) {
        const text = shown(cell);
        if (text !== '' && column >= 0 && column < maxColumns) {
          while (row.length < column) row.push('');
          row[column] = text;
        }
        cell = null;
      } else if (local === 'row' && row.some((text) => text.trim() !== '')) rows.push(row);
    },
  });
  return withoutEmptyColumns(rows);
}

function columnOf(reference: string): number {
  let column = 0;
  for (const letter of /^[A-Z]{1,3}/.exec(reference)?.[0] ?? '')
    column = column * 26 + letter.charCodeAt(0) - 64;
  return column - 1;
}

export function withoutEmptyColumns(rows: string[][]): string[][] {
  const used = new Set<number>();
  for (const row of rows)
    for (const [column, text] of row.entries()) if (text.trim() !== '') used.add(column);
  const columns = [...used].sort((one, other) => one - other);
  return rows.map((row) => columns.map((column) => row[column] ?? ''));
}
