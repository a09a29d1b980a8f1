import type { StoredChunk } from '@vortex/vector-store';
import { lexicalTerms, searchedText } from '@vortex/vector-store';

/** Fewer have too many sentences in common by chance. */
const leastTerms = 3;
const words = /[\p{L}\p{M}\p{N}]+/gu;
/** In scripts without spaces a word's end cannot be seen, so a run may go on. */
const unspaced =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;

/**
 * Tells whether a chunk holds the question word for word, whatever stands between the words: who pastes a sentence, a
 * title or an error message looks for the place where it stands. Null: the question is too short to be a quotation.
 */
export function wordForWord(
  question: string,
): ((chunk: Pick<StoredChunk, 'context' | 'text'>) => boolean) | null {
  const asked = wordsOf(question);
  const [first = ''] = asked;
  if (lexicalTerms(question).length < leastTerms) return null;
  const bound = unspaced.test(question) ? '' : ' ';
  const wanted = bound + asked.join(' ') + bound;
  return (chunk) => {
    const text = searchedText(chunk).normalize('NFKC').toLowerCase();
    // A question's first word is rarely one of a text's, and to look for it costs a fraction of cutting the text.
    return text.includes(first) && ` ${wordsOf(text).join(' ')} `.includes(wanted);
  };
}

function wordsOf(text: string): string[] {
  return text.normalize('NFKC').toLowerCase().match(words) ?? [];
}
