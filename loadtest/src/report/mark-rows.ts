import type { MarkRow } from '../figures-schema.ts';
import { count, duration } from './figures.ts';

/** What a mark did, in words; for the report, summary.md and the terminal alike. */
function effectText({ effect, recovered_after_ms }: MarkRow): string {
  if (effect === 'none') return 'no effect';
  if (effect === 'lasting') return 'not as before until the end or the next mark';
  if (effect === 'unknown') return 'too near to the beginning or the end to say';
  return `as before after ${duration(recovered_after_ms)}`;
}

export interface ShownMark {
  number: string;
  when: string;
  text: string;
  before: string;
  worst: string;
  failed: string;
  effect: string;
}

export function shownMarks(marks: readonly MarkRow[]): ShownMark[] {
  return marks.map((mark, index) => ({
    number: String(index + 1),
    when: `${(mark.at_ms / 1000).toFixed(1)} s`,
    text: mark.text,
    before: duration(mark.before_p95_ms),
    worst: duration(mark.worst_ms),
    failed: count(mark.failed),
    effect: effectText(mark),
  }));
}
