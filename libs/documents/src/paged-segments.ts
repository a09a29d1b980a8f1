import type { Segment } from './outline.ts';
import type { Cut } from './plain-outline.ts';

/** Gives segments their page, and cuts those that reach over the beginning of one; sections and tables go on behind it. */
export function* pagedSegments(
  cuts: Iterable<Cut>,
  pages: readonly { start: number }[] | null,
  textEnd: number,
): Generator<Segment> {
  if (pages === null) {
    for (const cut of cuts) yield { ...cut, page: null };
    return;
  }
  const starts = pages.map(({ start }) => start);
  let page = 0;
  function* until(cut: Cut, end: number): Generator<Segment> {
    while (page < starts.length && (starts[page] ?? 0) <= cut.start) page += 1;
    yield { ...cut, page: Math.max(1, page) };
    for (; page < starts.length && (starts[page] ?? end) < end; page += 1) {
      const start = starts[page] ?? end;
      // Of pages that start at one place all but the last are empty.
      if ((starts[page + 1] ?? end) > start) yield { ...cut, start, page: page + 1 };
    }
  }
  let last: Cut | null = null;
  for (const cut of cuts) {
    if (last !== null) yield* until(last, cut.start);
    last = cut;
  }
  if (last !== null) yield* until(last, textEnd);
}
