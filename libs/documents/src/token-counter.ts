/** Tokens of a text as the encoder's own tokenizer cuts it, without special tokens. */
export type CountTokens = (text: string) => number;

const maxRememberedWords = 100_000;
const maxWordLength = 64;

/**
 * A counter that is cheap to ask about overlapping texts: words are counted once and remembered, since a
 * text repeats its words (10 MB of prose have some 50,000 different ones). The sum over words is exact for
 * WordPiece, which splits at white space first, and an estimate otherwise; the chunker checks each finished
 * chunk with the real counter.
 */
export function rememberWords(countTokens: CountTokens): CountTokens {
  const words = new Map<string, number>();
  return (text) => {
    let tokens = 0;
    for (const [word] of text.matchAll(/\S+/g)) {
      if (word.length > maxWordLength) {
        tokens += countTokens(word);
        continue;
      }
      let count = words.get(word);
      if (count === undefined) {
        count = countTokens(word);
        if (words.size >= maxRememberedWords) words.clear();
        words.set(word, count);
      }
      tokens += count;
    }
    return tokens;
  };
}
