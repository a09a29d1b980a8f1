/** Columns that line up; numbers (all but the first column) to the right. */
export function columns(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [place, cell] of row.entries()) widths[place] = Math.max(widths[place] ?? 0, cell.length);
  }
  return rows.map((row) =>
    row
      .map((cell, place) => {
        const width = widths[place] ?? 0;
        return place === 0 ? cell.padEnd(width) : cell.padStart(width);
      })
      .join('  ')
      .trimEnd(),
  );
}

export function ms(value: number | null): string {
  if (value === null) return '-';
  return `${value >= 1000 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)} ms`;
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
