import { lexicalTerms, searchedText } from '@vortex/vector-store';
import type { FoundHit } from './visible-search.ts';

/** One word in common is a coincidence. */
const leastTerms = 2;
const enough = 0.8;

/**
 * True when one hit has (nearly) all the words that a question is about. That is evidence of its own: names, numbers
 * and table cells may have next to no meaning to an encoder. In a 300-page text the sentence "The zeppelin docked at
 * Kirkwall carrying ninety barrels of marmalade", asked word for word, was the first hit with a cosine of 0.22,
 * and a floor of 0.26 refused it. Words that stand scattered over many chunks prove nothing, so each is looked at alone.
 */
export function isFoundByWords(question: string, hits: readonly FoundHit[]): boolean {
  const asked = new Set(lexicalTerms(question));
  if (asked.size < leastTerms) return false;
  return hits.some(({ chunk, sparse }) => {
    if (sparse === null) return false;
    const present = new Set(lexicalTerms(searchedText(chunk)));
    let common = 0;
    for (const term of asked) if (present.has(term)) common += 1;
    return common >= leastTerms && common / asked.size >= enough;
  });
}
