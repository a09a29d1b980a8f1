import { CsvError, parse } from 'csv-parse/sync';
import { decodeFile } from './decode-file.ts';
import { markdownOfRows } from './markdown-table.ts';
import { assertWithin, type ParsedText, type ParseRequest } from './parsed-text.ts';

const delimiters = [',', ';', '\t', '|'] as const;
const maxRecordCharacters = 4 * 1024 * 1024;

/**
 * CSV and TSV as a table or as records (see markdownOfRows). What no parser can read (a quote that is never closed)
 * and what has no header row is taken as it is: every line is still found, only no piece repeats the header.
 */
export async function readCsv(request: ParseRequest): Promise<ParsedText> {
  return readRows(request, likelyDelimiter);
}

export async function readTsv(request: ParseRequest): Promise<ParsedText> {
  return readRows(request, () => '\t');
}

async function readRows(request: ParseRequest, delimiterOf: (text: string) => string): Promise<ParsedText> {
  const text = await decodeFile(request);
  const rows = rowsOf(text, delimiterOf(text));
  const asItIs: ParsedText = { text, mediaType: 'text/plain', pages: null, title: null };
  if (rows === null || !hasHeader(rows)) return asItIs;
  const table = markdownOfRows(rows);
  assertWithin(request.limits, 'maxTextCharacters', table.length);
  return { text: table, mediaType: 'text/markdown', pages: null, title: null };
}

function rowsOf(text: string, delimiter: string): string[][] | null {
  try {
    return parse(text, {
      delimiter,
      relax_quotes: true,
      relax_column_count: true,
      skip_empty_lines: true,
      skip_records_with_empty_values: true,
      max_record_size: maxRecordCharacters,
    });
  } catch (error) {
    if (error instanceof CsvError) return null;
    throw error;
  }
}

/** The delimiter that cuts the first lines into the most equal rows of more than one field. */
function likelyDelimiter(text: string): string {
  const head = text.slice(0, 64 * 1024);
  const whole = head.length < text.length ? head.slice(0, head.lastIndexOf('\n') + 1) || head : head;
  let best = { delimiter: ',' as string, score: 0 };
  for (const delimiter of delimiters) {
    const rows = rowsOf(whole, delimiter)?.slice(0, 100);
    const columns = rows?.[0]?.length ?? 0;
    if (rows === undefined || columns < 2) continue;
    const score =
      (rows.filter((row) => row.length === columns).length / rows.length) * 100 + Math.min(columns, 50);
    if (score > best.score) best = { delimiter, score };
  }
  return best.delimiter;
}

/** A first row of different names, none of which is a number: data hardly ever looks like that. */
function hasHeader(rows: string[][]): boolean {
  const names = rows[0]?.map((name) => name.trim()) ?? [];
  const filled = names.filter((name) => name !== '');
  return (
    rows.length > 1 &&
    filled.length > 1 &&
    filled.length >= names.length / 2 &&
    new Set(filled).size === filled.length &&
    filled.every((name) => name.length < 200 && Number.isNaN(Number(name.replace(',', '.'))))
  );
}
