import { type Line, type Span, span } from './line.ts';
import { clip, fit, harmless, widthOf } from './text.ts';

export interface Column<Row> {
  title: string;
  cell: (row: Row) => string | Span;
  align?: 'left' | 'right';
  /** In a narrow terminal the column with the highest number goes first; 0 stays. */
  drop?: number;
  /** A long text may be cut down to so many columns; before anything else goes, but after the ornaments. */
  least?: number;
}

const gap = 2;
/** Columns with this number or a higher one are ornaments: a name is not cut for their sake. */
const ornament = 5;

/** Rows under a heading, in at most `width` columns: texts are cut and columns left out until it fits. */
export function alignColumns<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  width: number,
): { heading: Line; lines: Line[] } {
  const textIn = (column: Column<Row>, row: Row) => {
    const cell = column.cell(row);
    return typeof cell === 'string' ? span(cell) : cell;
  };
  let kept = columns.map((column) => {
    const natural = Math.max(
      widthOf(column.title),
      ...rows.map((row) => widthOf(harmless(textIn(column, row).text))),
    );
    return { column, natural, width: natural };
  });
  const total = () => kept.reduce((sum, one) => sum + one.width + gap, -gap);
  const dropDownTo = (least: number) => {
    while (total() > width && kept.length > 1) {
      const last = Math.max(...kept.map(({ column }) => column.drop ?? 0));
      if (last < least) return;
      const place = kept.findLastIndex(({ column }) => (column.drop ?? 0) === last);
      kept = kept.filter((_, index) => index !== place);
    }
  };
  dropDownTo(ornament);
  for (const one of kept) {
    if (one.column.least === undefined || total() <= width) continue;
    one.width = Math.max(Math.min(one.width, one.column.least), one.width - (total() - width));
  }
  dropDownTo(0);
  for (const one of kept) one.width = Math.min(one.natural, one.width + Math.max(0, width - total()));
  const only = kept[0];
  if (only !== undefined && total() > width) only.width = Math.max(0, width);

  const join = (parts: Span[]): Line => parts.flatMap((part, index) => (index === 0 ? [part] : ['  ', part]));
  return {
    heading: join(
      kept.map(({ column, width: room }) => span(fit(column.title, room, column.align ?? 'left'), 'dim')),
    ),
    lines: rows.map((row) =>
      join(
        kept.map(({ column, width: room }, index) => {
          const { text, styles } = textIn(column, row);
          const isLast = index === kept.length - 1;
          const shown =
            isLast && column.align !== 'right' ? clip(text, room) : fit(text, room, column.align ?? 'left');
          return span(shown, ...styles);
        }),
      ),
    ),
  };
}
