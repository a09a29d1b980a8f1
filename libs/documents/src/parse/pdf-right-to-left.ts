/**
 * Right-to-left text of a PDF. A page draws its glyphs from left to right, and pdf.js turns the characters of such a
 * run round. It turns the characters of one glyph round with them: a lam-alef, which every Arabic font has and which
 * LibreOffice maps to two characters, came out as alef-lam, so that `لا` (no) became `ال` (the), in every second line.
 * pdf.js offers no door here: it makes each glyph's text by `String.fromCodePoint(...)` from the font's map while it
 * gets the page's text. For that long this function gives glyphs of several right-to-left characters backwards, so
 * that they are turned back. Nothing else in the process makes such strings that way, and all but these stay as they
 * are. Ligatures that are one character (U+FEF5 and others) are taken apart after the turn, by `plainLetters`.
 */
export async function withWholeLigatures<T>(read: () => Promise<T>): Promise<T> {
  if (readers === 0) String.fromCodePoint = backwards;
  readers += 1;
  try {
    return await read();
  } finally {
    readers -= 1;
    if (readers === 0) String.fromCodePoint = fromCodePoint;
  }
}

let readers = 0;
const { fromCodePoint } = String;

const rightToLeft = /^[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}\p{Mn}]{2,}$/u;
/** No font draws these as one; a program that writes its map in the order it draws means lam-alef. */
const drawnLamAlef = /^[\u0622\u0623\u0625\u0627\u0671]\u0644$/u;

function backwards(...points: number[]): string {
  const text = fromCodePoint(...points);
  if (points.length < 2 || !rightToLeft.test(text) || drawnLamAlef.test(text)) return text;
  return fromCodePoint(...points.reverse());
}

/**
 * What pdf.js would normalise before it turns text round, and Arabic's presentation forms, which it leaves: nobody
 * searches by them. Marks that stand alone (U+FE70 and others) would get a space and stay as they are.
 */
const presentationForms =
  /[\u00a0\u00b5\u2000-\u200a\u202f\u2126\ufb00-\ufb06\ufb1d-\ufb4f\ufb50-\ufbb1\ufbd3-\ufc5d\ufc64-\ufd3d\ufd50-\ufdfb\ufe71\ufe77\ufe79\ufe7b\ufe7d\ufe7f-\ufefc]+/gu;

export function plainLetters(text: string): string {
  return text.replaceAll(presentationForms, (forms) => forms.normalize('NFKC'));
}
