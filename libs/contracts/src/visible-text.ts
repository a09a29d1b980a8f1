/**
 * Characters that nobody sees and a language model reads: in them a text carries orders past the eyes of whoever
 * passes it on, or splits the words it is looked for by. They are taken out of documents when those are read, of
 * questions and names when they come in, of a model's words when they come out, and once more of what goes into a
 * prompt, for what was stored before.
 *
 * Taken out is all that Unicode wants shown as nothing (`Default_Ignorable_Code_Point`: the plane of the tags, zero-width
 * spaces, directions that turn text around, fillers, invisible operators), and the marks of interlinear notes
 * (U+FFF9–FFFB). It is judged by the run of such characters and its two visible neighbours, because what is left has its
 * use in one place only:
 *
 *   variation selectors (U+FE00–FE0F)    the first of a run, behind what has variants: emoji, symbols, punctuation and
 *                                        the few scripts with standardized ones; behind a Latin letter each is 4 bits
 *   joiners, marks (U+200C–200F, U+061C) emoji, Persian and Indic scripts are written with them, and no reader can tell
 *                                        which one is idle. Three of a run, for Arabic has such sequences; one behind a
 *                                        letter that never joins
 *   tags (U+E0000–E007F)                 the flags of England, Scotland and Wales, the only sequences recommended for
 *                                        interchange
 *   zero-width space (U+200B)            one between two Burmese, Khmer, Lao or Thai letters, where it parts words
 *   soft hyphen (U+00AD)                 one: publishers hyphenate with it, and it is seen where a line ends
 *   Mongolian selectors, vowel separator behind a Mongolian letter; the separator between two
 *   Hangul fillers (U+115F, U+1160)      beside a conjoining letter, for syllables of which a part is missing
 *   grapheme joiner (U+034F)             between two combining marks, whose order it keeps (biblical Hebrew)
 */
const invisible = String.raw`[\p{Default_Ignorable_Code_Point}\ufff9-\ufffb]`;
const runs = new RegExp(`${invisible}+`, 'gu');
const isInvisible = new RegExp(`^${invisible}$`, 'u');
/**
 * Nearly no text has any, and this reads 136 million characters in a fraction of a second. Of those beyond U+FFFF it
 * knows the first halves.
 */
const suspicion =
  // biome-ignore lint/suspicious/noMisleadingCharacterClass: each is looked for by itself
  /[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ud82f\ud834\udb40-\udb43]/;

/** No legitimate run is as long: what stands further on is not looked at. */
const longestRun = 32;
const flagRegions = ['gbeng', 'gbsct', 'gbwls'];
const flags = flagRegions.map((region) => `${[...region].map((letter) => tagOf(letter)).join('')}\u{e007f}`);
const hasVariants =
  /[\p{Emoji}\p{S}\p{P}\p{sc=Han}\p{sc=Myanmar}\p{sc=Phags_Pa}\p{sc=Manichaean}\p{sc=Egyptian_Hieroglyphs}]/u;
const neverJoins =
  /[\p{sc=Latin}\p{sc=Greek}\p{sc=Cyrillic}\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Hangul}\p{Nd}]/u;
const partsWordsUnseen = /[\p{sc=Myanmar}\p{sc=Khmer}\p{sc=Lao}\p{sc=Thai}]/u;
const mongolian = /[\u1820-\u18aa]/;
const conjoiningJamo = /[\u1100-\u11ff\ua960-\ua97f\ud7b0-\ud7ff]/;
const combining = /\p{M}/u;

function tagOf(letter: string): string {
  return String.fromCodePoint(0xe0000 + (letter.codePointAt(0) ?? 0));
}

/** What is left of a run of invisible characters between two visible ones (empty: the text begins or ends). */
function leftOf(run: string, before: string, after: string): string {
  if (before === '\u{1f3f4}') {
    const flag = flags.find((tags) => run.startsWith(tags));
    if (flag !== undefined) return flag;
  }
  switch (run) {
    case '\u00ad':
      return run;
    case '\u200b':
      return partsWordsUnseen.test(before) && partsWordsUnseen.test(after) ? run : '';
    case '\u034f':
      return combining.test(before) && combining.test(after) ? run : '';
    case '\u115f':
    case '\u1160':
    case '\u115f\u1160':
      return conjoiningJamo.test(before) || conjoiningJamo.test(after) ? run : '';
    case '\u180e':
      return mongolian.test(before) && mongolian.test(after) ? run : '';
  }
  const [first = ''] = run;
  const isVariant =
    (/[\ufe00-\ufe0f]/.test(first) && hasVariants.test(before)) ||
    (/[\u180b-\u180d\u180f]/.test(first) && mongolian.test(before));
  const joiners = run.slice(0, longestRun).match(/[\u061c\u200c-\u200f]/g) ?? [];
  return (isVariant ? first : '') + joiners.slice(0, neverJoins.test(before) ? 1 : 3).join('');
}

/** Where the invisible stands that is taken out, as spans `[start, end)` in UTF-16 code units, in order. */
export function* invisibleSpans(text: string): Generator<[number, number]> {
  if (!suspicion.test(text)) return;
  for (const { 0: run, index } of text.matchAll(runs)) {
    const end = index + run.length;
    const left = leftOf(run, characterBefore(text, index), characterAt(text, end));
    if (left === run) continue;
    // What is left is a part of the run in its order: everything between its characters goes.
    let start = index;
    for (const character of left) {
      const at = text.indexOf(character, start);
      if (at > start) yield [start, at];
      start = at + character.length;
    }
    if (end > start) yield [start, end];
  }
}

/**
 * The text without them. Halves of a pair that one of them kept apart become U+FFFD, or they would come together as a
 * character that nobody has judged.
 */
export function visibleText(text: string): string {
  let whole = text;
  let visible = '';
  let at = 0;
  for (const [start, end] of invisibleSpans(text)) {
    if (at === 0) whole = text.toWellFormed();
    visible += whole.slice(at, start);
    at = end;
  }
  return at === 0 ? text : visible + whole.slice(at);
}

/**
 * The same of a text that comes in pieces, cut anywhere: what `push` and `end` give out is, in one, what `visibleText`
 * makes of the whole text as well-formed Unicode. Kept back is only what the next piece decides: a run of invisible
 * characters at the end, and half of a pair.
 */
export class VisibleStream {
  #held = '';
  /** The last character given out: a selector or a tag is judged by it. */
  #before = '';

  push(piece: string): string {
    const input = this.#held + piece;
    const cut = endOfDecided(input);
    this.#held = shortenedRun(input.slice(cut));
    return this.#give(input.slice(0, cut));
  }

  end(): string {
    const rest = this.#held;
    this.#held = '';
    return this.#give(rest);
  }

  #give(decided: string): string {
    if (decided === '') return '';
    const visible = visibleText(this.#before + decided.toWellFormed()).slice(this.#before.length);
    this.#before = characterBefore(visible, visible.length) || this.#before;
    return visible;
  }
}

/** What a model's server may hold us busy with: a run without end is looked at no further than it is judged. */
function shortenedRun(held: string): string {
  if (held.length <= 2 * longestRun) return held;
  const half = /[\ud800-\udbff]$/.exec(held)?.[0] ?? '';
  const kept = held.slice(0, 2 * longestRun);
  return kept.slice(0, endOfWhole(kept)) + half;
}

function endOfDecided(text: string): number {
  let end = endOfWhole(text);
  for (;;) {
    const last = characterBefore(text, end);
    if (last === '' || !isInvisible.test(last)) return end;
    end -= last.length;
  }
}

function endOfWhole(text: string): number {
  return /[\ud800-\udbff]$/.test(text) ? text.length - 1 : text.length;
}

function characterAt(text: string, index: number): string {
  const point = text.codePointAt(index);
  return point === undefined ? '' : String.fromCodePoint(point);
}

function characterBefore(text: string, index: number): string {
  const pair = characterAt(text, index - 2);
  return pair.length === 2 ? pair : (text[index - 1] ?? '');
}
