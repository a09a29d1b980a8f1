/** Rows above this are told as fields of a record: a row's header stands too far from its cells to be read. */
const maxTableColumns = 12;
const maxRowCharacters = 240;

/**
 * Rows of text as Markdown: a table, whose header row the chunker puts in front of every piece of it, or records
 * of `field: value` lines where rows are long or wide. The first row is the header. Every cell's text is kept; line
 * breaks in a cell become spaces, and `|` is escaped, as the format demands.
 */
export function markdownOfRows(rows: readonly (readonly string[])[]): string {
  const [header, ...others] = rows;
  if (header === undefined) return '';
  const columns = rows.reduce((most, row) => Math.max(most, row.length), 0);
  const characters = others.reduce(
    (sum, row) => sum + row.reduce((length, cell) => length + cell.length, 0),
    0,
  );
  const isTable = columns <= maxTableColumns && characters <= others.length * maxRowCharacters;
  return isTable || others.length === 0 ? tableOf(header, others, columns) : recordsOf(header, others);
}

function tableOf(header: readonly string[], rows: readonly (readonly string[])[], columns: number): string {
  const line = (cells: readonly string[]) =>
    `| ${Array.from({ length: columns }, (_, at) => inCell(cells[at] ?? '')).join(' | ')} |`;
  return [line(header), `|${' --- |'.repeat(columns)}`, ...rows.map(line)].join('\n');
}

function recordsOf(header: readonly string[], rows: readonly (readonly string[])[]): string {
  return rows
    .map((row) =>
      row
        .map((cell, at) => {
          const field = (header[at] ?? '').trim();
          const value = cell.trim();
          return value === '' ? '' : field === '' ? value : `${inLine(field)}: ${value}`;
        })
        .filter((line) => line !== '')
        .join('\n'),
    )
    .filter((record) => record !== '')
    .join('\n\n');
}

function inCell(cell: string): string {
  return inLine(cell).replaceAll('|', '\\|');
}

export function inLine(text: string): string {
  return text.replace(/\s*[\r\n]+\s*/g, ' ').trim();
}
