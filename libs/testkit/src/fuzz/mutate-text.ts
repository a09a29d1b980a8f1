import type { Chance } from './chance.ts';

/** Texts that have broken somebody. */
export const nastyTexts = [
  ...[
    '',
    ' ',
    '\0',
    '\ufeff',
    '\u202e',
    '\u2028',
    '\ud83d',
    '\udc00',
    '\u{e0041}',
    '\u200b',
    '😀',
    'é',
    'İ',
    'ß',
  ],
  ...['-1', '0', '1e999', '-0', '99999999999999999999', '0x7f', 'NaN', 'null', 'true', '[]', '{}'],
  ...['__proto__', 'constructor', 'toString', '../../etc/passwd', '%00', '&a;', '&#0;', '&#x110000;', ']]>'],
] as const;

/**
 * A text whose parts are the unit of change: one is missing, twice, elsewhere, nested in itself, or another one.
 * `words` are the format's own: its brackets and what means something to its reader.
 */
export function mutateText(text: string, chance: Chance, words: readonly string[]): string {
  const longest = 4 * 1024 * 1024;
  const parts = text.match(/<[^<>]{0,400}>?|[\p{L}\p{N}_]+|\s+|[^\p{L}\p{N}_\s]/gu) ?? [''];
  for (let changes = 1 + chance.below(4); changes > 0; changes -= 1) {
    const at = chance.below(parts.length);
    const times = (part: string, count: number) =>
      part.repeat(Math.min(count, Math.ceil(longest / (part.length + 1))));
    const part = parts[at] ?? '';
    switch (chance.below(8)) {
      case 0:
        parts[at] = '';
        break;
      case 1:
        parts[at] = times(part, 2 + chance.below(chance.is(0.1) ? 3000 : 10));
        break;
      case 2:
        parts[at] = chance.oneOf(parts);
        break;
      case 3:
        parts[at] = part + chance.oneOf(words);
        break;
      case 4:
        parts[at] = chance.oneOf(nastyTexts);
        break;
      case 5:
        parts[at] = /\d/.test(part)
          ? chance.oneOf(['-1', '0', '65536', '2147483648', '1e9'])
          : part.toUpperCase();
        break;
      case 6:
        parts.length = at + 1;
        break;
      default:
        parts[at] = times(chance.oneOf(words), 1 + chance.below(chance.is(0.1) ? 3000 : 4)) + part;
    }
  }
  return parts.join('').slice(0, longest);
}
