import type { ContextWriter } from './chunk-context.ts';
import type { ChunkOptions } from './chunk-options.ts';
import type { Segment } from './outline.ts';
import { cutToSize, type Span, sentencesOf, trimmed } from './text-cuts.ts';
import { rememberWords } from './token-counter.ts';

/** What is only cut in need: a heading, a sentence, a table row, a line of code, or a part of a long one. */
export interface Atom {
  /** Without white space at its ends; the next atom starts somewhere behind. */
  span: Span;
  tokens: number;
  /** Counted as a whole, not added up from its words. */
  exact: boolean;
  segment: Segment;
  /** Number of the segment: atoms of one segment are an item. */
  item: number;
}

export function atomsOf(
  text: string,
  segments: Segment[],
  contexts: ContextWriter,
  options: ChunkOptions,
): Atom[] {
  const { countTokens } = options;
  const addUp = rememberWords(countTokens);
  const maxCharacters = contexts.maxCharacters;
  const atoms: Atom[] = [];
  segments.forEach((segment, item) => {
    const end = segments[item + 1]?.start ?? text.length;
    const maxTokens = contexts.smallestTextLimit(segment);
    const whole = segment.kind !== 'prose' && segment.kind !== 'item';
    const spans = whole ? [[segment.start, end] as const] : sentencesOf(text, segment.start, end);
    for (const [from, to] of spans) {
      const span = trimmed(text, from, to);
      if (span === null) continue;
      const small = span[1] - span[0] <= maxCharacters;
      const tokens = small ? addUp(text.slice(...span)) : Number.POSITIVE_INFINITY;
      if (tokens <= maxTokens) {
        atoms.push({ span, tokens, exact: false, segment, item });
        continue;
      }
      for (const cut of cutToSize(text, ...span, { maxTokens, maxCharacters, countTokens })) {
        atoms.push({ ...cut, exact: true, segment, item });
      }
    }
  });
  return atoms;
}
