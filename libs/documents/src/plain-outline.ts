import { nextLine } from './markdown-windows.ts';
import { rootSection, type Segment } from './outline.ts';

/** Segments before they have a page. */
export type Cut = Omit<Segment, 'page'>;

/** Plain text: paragraphs, as blank lines part them. */
export function* plainOutline(text: string): Generator<Cut> {
  yield cutAt(0, 'prose', 0);
  let group = 0;
  for (const gap of text.matchAll(/(?:\r\n|\n|\r)[ \t\f\v]*(?:\r\n|\n|\r)\s*/g)) {
    const start = gap.index + gap[0].length;
    group += 1;
    if (start < text.length) yield cutAt(start, 'prose', group);
  }
}

/** Programs: lines, in groups as blank lines part them. */
export function* sourceOutline(text: string): Generator<Cut> {
  let group = 0;
  for (let start = 0; start < text.length; ) {
    const end = nextLine(text, start);
    yield cutAt(start, 'line', group);
    if (end - start < 256 && text.slice(start, end).trim() === '') group += 1;
    start = end;
  }
}

/** No structure at all: the whole text is one paragraph. */
export function* noOutline(): Generator<Cut> {
  yield cutAt(0, 'prose', 0);
}

function cutAt(start: number, kind: Segment['kind'], group: number): Cut {
  return { start, kind, group, section: rootSection, tableHeader: null };
}
