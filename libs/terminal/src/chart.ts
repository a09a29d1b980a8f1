const eighths = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
const levels = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/** A bar of exactly `columns` columns, in eighths of one; what is left is dotted. */
export function bar(part: number, columns: number): string {
  const share = Number.isFinite(part) ? Math.min(1, Math.max(0, part)) : 0;
  const filled = Math.round(share * columns * 8);
  const text = '█'.repeat(Math.floor(filled / 8)) + (eighths[filled % 8] ?? '');
  return text + '·'.repeat(columns - text.length);
}

/**
 * The last `columns` values, newest at the right, on a scale from zero to the largest. A value that is not
 * known is a blank, which a zero is not.
 */
export function sparkline(values: readonly (number | null)[], columns: number): string {
  const shown = values.slice(-columns);
  const most = Math.max(0, ...shown.map((value) => value ?? 0));
  const text = shown
    .map((value) => {
      if (value === null) return ' ';
      const level = most === 0 ? 0 : Math.ceil((value / most) * (levels.length - 1));
      return levels[Math.min(levels.length - 1, Math.max(0, level))] ?? ' ';
    })
    .join('');
  return text.padStart(columns);
}
