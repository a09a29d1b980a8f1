/**
 * Words of a text, reduced to stems, without the words that every English sentence has. Deliberately
 * light: the mock has to find the sentence that shares the question's words, not to understand it.
 */
const stopWords = new Set(
  `a about after all also an and any are as at be been before being but by can could did do does doing for
  from had has have having he her him his how i if in into is it its just may me might more most must my no
  nor not of off on only or other our out over own shall she should so some such than that the their them
  then there these they this those through to too under until up us very was we were what when where which
  while who whom whose why will with would you your`.split(/\s+/),
);

// Scripts written without spaces are matched character by character, or a whole clause would be one word.
const wordPattern = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]|[\p{L}\p{N}]+/gu;

export function stemsOf(text: string): string[] {
  const stems: string[] = [];
  for (const word of text.toLowerCase().match(wordPattern) ?? []) {
    if (!stopWords.has(word)) stems.push(stem(word));
  }
  return stems;
}

/** `reads`, `reading` and `read` must meet; that they are a linguist's stem is not needed. */
function stem(word: string): string {
  let root = word;
  if (root.length > 4 && root.endsWith('ies')) root = `${root.slice(0, -3)}y`;
  else if (root.length > 5 && root.endsWith('ing')) root = root.slice(0, -3);
  else if (root.length > 4 && (root.endsWith('ed') || root.endsWith('es'))) root = root.slice(0, -2);
  else if (root.length > 3 && root.endsWith('s') && !/[sui]s$/.test(root)) root = root.slice(0, -1);
  if (root.length > 3 && root.at(-1) === root.at(-2)) root = root.slice(0, -1);
  return root.length > 3 && root.endsWith('e') ? root.slice(0, -1) : root;
}
