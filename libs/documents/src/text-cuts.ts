import type { CountTokens } from './token-counter.ts';

/** `[start, end)` in UTF-16 code units. */
export type Span = readonly [start: number, end: number];

const sentences = new Intl.Segmenter(undefined, { granularity: 'sentence' });
const words = new Intl.Segmenter(undefined, { granularity: 'word' });
const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

const sentenceEnd = /[.!?…:;。！？؟۔।]["'”’»)\]]*\s*$/;
const maxJoinedCharacters = 1000;

/**
 * The sentences of `[start, end)`, without a gap; white space belongs to the sentence before it. A line
 * break is taken for a sentence's end unless the line goes on in lower case: hard-wrapped prose has its
 * line breaks anywhere. A full stop that stands alone, as in text cut into words before, ends a sentence also before
 * lower case (Unicode's rules see an abbreviation there).
 */
export function* sentencesOf(text: string, start: number, end: number): Generator<Span> {
  for (const [from, to] of unicodeSentences(text, start, end)) {
    let rest = from;
    for (const { index, 0: stop } of text.slice(from, to).matchAll(loneStop)) {
      const next = from + index + stop.length;
      if (next === to) break;
      yield [rest, next];
      rest = next;
    }
    yield [rest, to];
  }
}

const loneStop = /(?<=\S\s+)[.!?…]\s+/g;

function* unicodeSentences(text: string, start: number, end: number): Generator<Span> {
  let from = start;
  let to = start;
  for (const [at, next] of segmentsOf(sentences, text, start, end)) {
    const before = text.slice(Math.max(from, at - 16), at);
    const wrapped =
      to > from &&
      /[\r\n]\s*$/.test(before) &&
      !sentenceEnd.test(before) &&
      /^\p{Ll}/u.test(text.slice(at, at + 2));
    if (to > from && !(wrapped && at - from < maxJoinedCharacters)) {
      yield [from, to];
      from = at;
    }
    to = next;
  }
  if (to > from) yield [from, to];
}

/** Words with the white space behind them; a script without spaces is cut between its words. */
export function* wordsOf(text: string, start: number, end: number): Generator<Span> {
  let from = start;
  for (const [at] of segmentsOf(words, text, start, end)) {
    const space = /\s/.test(text[at] ?? '');
    // An opening quote belongs to what follows it, a full stop to what it follows: words are parted at white space,
    // and elsewhere only where letters meet that no space would part.
    const glued = !/\s/.test(text[at - 1] ?? ' ') && !(isUnspaced(text, at) && isUnspaced(text, at - 1));
    if (at === from || space || glued) continue;
    yield [from, at];
    from = at;
  }
  if (end > from) yield [from, end];
}

function isUnspaced(text: string, position: number): boolean {
  return /[\p{scx=Han}\p{scx=Hira}\p{scx=Kana}\p{scx=Thai}\p{scx=Lao}\p{scx=Khmer}\p{scx=Mymr}]/u.test(
    text[position] ?? '',
  );
}

/**
 * A segmenter copies what it is given and looks at all of it, so that a text of 200 MB in one paragraph is shown to
 * it in windows. The last segment of a window may go on behind it and is looked at again from its start.
 */
function* segmentsOf(segmenter: Intl.Segmenter, text: string, start: number, end: number): Generator<Span> {
  for (let from = start; from < end; ) {
    let to = Math.min(end, from + windowCharacters);
    if (to < end && isInsidePair(text, to)) to -= 1;
    let last = from;
    for (const { index } of segmenter.segment(text.slice(from, to))) {
      if (index === 0) continue;
      yield [last, from + index];
      last = from + index;
    }
    if (to === end || last === from) {
      yield [last, to];
      from = to;
    } else from = last;
  }
}

const windowCharacters = 16 * 1024;

/** What is left of `[start, end)` without white space at its ends; null when nothing is. */
export function trimmed(text: string, start: number, end: number): Span | null {
  const part = text.slice(start, end);
  const from = part.search(/\S/);
  return from === -1 ? null : [start + from, start + part.trimEnd().length];
}

export interface SizedSpan {
  span: Span;
  tokens: number;
}

/**
 * Cuts `[start, end)` into trimmed spans of at most `maxTokens` and `maxCharacters`: after white space,
 * else between words, else between characters as a reader sees them, and never inside a surrogate pair.
 * Looks at windows about as large as the last span that fitted, so the tokenizer sees little more than the
 * text once: WordPiece takes 4 s for a megabyte of base64.
 */
export function* cutToSize(
  text: string,
  start: number,
  end: number,
  limits: { maxTokens: number; maxCharacters: number; countTokens: CountTokens },
): Generator<SizedSpan> {
  const { maxTokens, maxCharacters, countTokens } = limits;
  let window = Math.min(maxCharacters, maxTokens * 4);
  for (let from = start; from < end; ) {
    let to = cutPosition(text, from, Math.min(end, from + window), end);
    let tokens = countTokens(text.slice(from, to));
    while (tokens > maxTokens) {
      const smaller = from + Math.floor(((to - from) * maxTokens * 0.95) / tokens);
      const next = cutPosition(text, from, Math.min(smaller, to - 1), end);
      if (next >= to) break; // A single character above the limit: nothing smaller can be cut.
      to = next;
      tokens = countTokens(text.slice(from, to));
    }
    const span = trimmed(text, from, to);
    if (span !== null) yield { span, tokens };
    const room = tokens === 0 ? 2 : Math.min(2, maxTokens / tokens);
    window = Math.max(1, Math.min(maxCharacters, Math.ceil((to - from) * room)));
    from = to;
  }
}

/** The best place to cut at or somewhat before `wanted`; after `from` in any case. */
function cutPosition(text: string, from: number, wanted: number, end: number): number {
  if (wanted >= end) return end;
  const earliest = from + Math.ceil((wanted - from) * 0.75);
  for (let at = wanted; at > Math.max(earliest, from); at -= 1) {
    if (/\s/.test(text[at - 1] ?? '')) return at;
  }
  const atWord = boundaryBefore(words, text, wanted);
  if (atWord > Math.max(earliest, from)) return atWord;
  const atGrapheme = boundaryBefore(graphemes, text, wanted);
  if (atGrapheme > from) return atGrapheme;
  const whole = isInsidePair(text, wanted) ? wanted - 1 : wanted;
  return whole > from ? whole : Math.min(end, from + (isInsidePair(text, from + 1) ? 2 : 1));
}

const lookAround = 64;

function boundaryBefore(segmenter: Intl.Segmenter, text: string, position: number): number {
  let start = Math.max(0, position - lookAround);
  if (isInsidePair(text, start)) start -= 1;
  const found = segmenter.segment(text.slice(start, position + lookAround)).containing(position - start);
  return found === undefined ? position : start + found.index;
}

function isInsidePair(text: string, position: number): boolean {
  const code = text.charCodeAt(position);
  const before = text.charCodeAt(position - 1);
  return code >= 0xdc00 && code <= 0xdfff && before >= 0xd800 && before <= 0xdbff;
}
