import { decodeBytes } from './other-decoders.ts';

/**
 * Mac Roman or CP437 where windows-1252 (or another Latin page) makes nonsense of the bytes: `B\u0160cker` for
 * `Bäcker`. Both have their letters where windows-1252 has quotes and dashes, so that read by the wrong one there are
 * signs and capitals inside of words. They are taken only when what was found first has such in three of ten
 * characters beyond ASCII, and when by them there is none, and nothing but what Western languages write.
 */
export function olderWestern(words: Uint8Array, found: string | null): 'macintosh' | 'cp437' | null {
  const first = oddities(decodeBytes(found ?? 'windows-1252', words));
  if (first.beyondAscii < 2 || first.odd < first.beyondAscii * 0.3) return null;
  for (const label of ['macintosh', 'cp437'] as const) {
    const text = decodeBytes(label, words);
    if (western.test(text) && oddities(text).odd === 0) return label;
  }
  return null;
}

const western = /^[\p{ASCII}äöüÄÖÜßéèêëàâáçîïíìôûùúñóòãõåæøœÅÆØŒÉÈÊÀÂÁÇÎÔÑÍÓÚÃÕ¿¡«»“”„‘’–—…°§€\u00a0]*$/u;

/** Characters beyond ASCII that stand where no language puts them: signs between letters, capitals behind or between small ones. */
function oddities(text: string): { odd: number; beyondAscii: number } {
  const signs = text.match(/(?<=\p{L})[^\p{ASCII}\p{L}\p{M}’–—…·™®\u00ad](?=\p{L})/gu)?.length ?? 0;
  const capitals = text.match(/(?<=\p{Ll})[^\P{Lu}A-Z]|(?<=\p{L})[^\P{Lu}A-Z](?=\p{Ll})/gu)?.length ?? 0;
  return { odd: signs + capitals, beyondAscii: text.match(/[^\p{ASCII}]/gu)?.length ?? 0 };
}
