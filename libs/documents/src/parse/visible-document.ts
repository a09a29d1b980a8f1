import { invisibleSpans, visibleText } from '@vortex/contracts';
import type { ParsedText } from './parsed-text.ts';

/**
 * A document without the characters nobody sees (`invisibleSpans` says which, and why). Done once, before anything
 * counts: what is stored, cut and cited is this text, so every offset is into it.
 */
export function visibleDocument(parsed: ParsedText): ParsedText {
  // Formats may spell halves of pairs: two that only an invisible character parts would come together as another one, and
  // no database takes a half.
  const whole = parsed.text.toWellFormed();
  const title = parsed.title === null ? null : visibleText(parsed.title.toWellFormed()).trim() || null;
  const starts = parsed.pages?.map(({ start }) => start) ?? [];
  const moved: number[] = [];
  let text = '';
  let at = 0;
  let removed = 0;
  const movePagesBefore = (end: number, place: number) => {
    for (let start = starts[moved.length]; start !== undefined && start < end; start = starts[moved.length]) {
      moved.push(Math.min(start, place) - removed);
    }
  };
  for (const [start, end] of invisibleSpans(whole)) {
    movePagesBefore(end, start);
    text += whole.slice(at, start);
    at = end;
    removed += end - start;
  }
  movePagesBefore(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
  return {
    ...parsed,
    title,
    text: at === 0 ? whole : text + whole.slice(at),
    pages: parsed.pages === null ? null : moved.map((start) => ({ start })),
  };
}
