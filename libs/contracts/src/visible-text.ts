/**
 * Characters that nobody sees and a language model reads: in them a document carries orders past the eyes of whoever
 * uploaded it, or splits the words it is looked for by. They are taken out of documents when those are read, and once
 * more of what goes into a prompt, for what was stored before.
 *
 *   taken out  tags (U+E0000–E007F), the zero-width space (U+200B), directions that turn text around (embeddings and
 *              overrides U+202A–202E, isolates U+2066–2069), supplementary variation selectors (U+E0100–E01EF),
 *              invisible operators and the word joiner (U+2060–2064), formats that Unicode has given up
 *              (U+206A–206F), a byte order mark that is none (U+FEFF); of variation selectors (U+FE00–FE0F) that
 *              follow each other all but the first, for one letter has one form
 *   left       the joiners U+200D and U+200C, which emoji, Persian and Indic scripts are written with; U+FE0F and every
 *              other single variation selector; the marks U+200E, U+200F and U+061C, which turn nothing around;
 *              the soft hyphen; the flags of England, Scotland and Wales, the only tag sequences recommended for
 *              interchange; one zero-width space between two Burmese, Khmer, Lao or Thai letters, where it parts words
 */
const flags = ['gbeng', 'gbsct', 'gbwls'].map(
  (region) => `\u{1f3f4}${[...region].map((letter) => tagOf(letter)).join('')}\u{e007f}`,
);
const carrier = String.raw`\u200b\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\u{e0000}-\u{e007f}\u{e0100}-\u{e01ef}`;
const selector = String.raw`\ufe00-\ufe0f`;
const wordsByZeroWidthSpace = String.raw`[\p{sc=Myanmar}\p{sc=Khmer}\p{sc=Lao}\p{sc=Thai}]`;
const either = new RegExp(
  [
    `(?<left>${flags.join('|')}|(?<=${wordsByZeroWidthSpace})\\u200b(?=${wordsByZeroWidthSpace}))`,
    `(?<=[${selector}])[${selector}${carrier}]+`,
    `[${carrier}]+`,
  ].join('|'),
  'gu',
);
/** Nearly no text has any, and so 136 million characters take 0.7 s. U+DB40 is the first half of every tag and selector. */
const suspicion = /[\u200b\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\udb40]|[\ufe00-\ufe0f]{2}/;

function tagOf(letter: string): string {
  return String.fromCodePoint(0xe0000 + (letter.codePointAt(0) ?? 0));
}

/** Where the invisible stands, as spans `[start, end)` in UTF-16 code units, in order. */
export function* invisibleSpans(text: string): Generator<[number, number]> {
  if (!suspicion.test(text)) return;
  for (const match of text.matchAll(either)) {
    if (match.groups?.left === undefined) yield [match.index, match.index + match[0].length];
  }
}

/** The text without them. */
export function visibleText(text: string): string {
  let visible = '';
  let at = 0;
  for (const [start, end] of invisibleSpans(text)) {
    visible += text.slice(at, start);
    at = end;
  }
  return at === 0 ? text : visible + text.slice(at);
}
