import type { ContextWriter } from './chunk-context.ts';
import type { ChunkOptions } from './chunk-options.ts';
import type { Segment } from './outline.ts';
import { cutToSize, type Span, sentencesOf, trimmed, wordsOf } from './text-cuts.ts';
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

/** Made as they are asked for: a large text has more of them than memory. */
export function* atomsOf(
  text: string,
  segments: Iterable<Segment>,
  contexts: ContextWriter,
  options: ChunkOptions,
): Generator<Atom> {
  const { countTokens } = options;
  const addUp = rememberWords(countTokens);
  const maxCharacters = contexts.maxCharacters;
  const partsOf = options.strategy === 'fixed' ? wordsOf : sentencesOf;
  let item = 0;
  for (const [segment, end] of withEnds(segments, text.length)) {
    const maxTokens = contexts.smallestTextLimit(segment);
    const whole = segment.kind !== 'prose' && segment.kind !== 'item';
    const spans = whole ? [[segment.start, end] as const] : partsOf(text, segment.start, end);
    for (const [from, to] of spans) {
      const span = trimmed(text, from, to);
      if (span === null) continue;
      const small = span[1] - span[0] <= maxCharacters;
      const tokens = small ? addUp(text.slice(...span)) : Number.POSITIVE_INFINITY;
      if (tokens <= maxTokens) {
        yield { span, tokens, exact: false, segment, item };
        continue;
      }
      for (const cut of cutToSize(text, ...span, { maxTokens, maxCharacters, countTokens })) {
        yield { ...cut, exact: true, segment, item };
      }
    }
    item += 1;
  }
}

function* withEnds(segments: Iterable<Segment>, textEnd: number): Generator<[Segment, number]> {
  let last: Segment | null = null;
  for (const segment of segments) {
    if (last !== null) yield [last, segment.start];
    last = segment;
  }
  if (last !== null) yield [last, textEnd];
}
