import { analyse } from 'chardet';
import { olderWestern } from './older-western.ts';
import { decodeBytes, isUtf32 } from './other-decoders.ts';

/**
 * Tells text from binary, and in which encoding it is. In this order, because each step is surer than the next:
 * byte order mark; valid UTF-8 (other encodings that use their high bytes are hardly ever valid UTF-8 by chance);
 * escape sequences of ISO-2022; UTF-16 without a mark; then statistics (chardet) over single-byte and double-byte
 * encodings, of which only a candidate counts that decodes without an error and gives hardly any control characters.
 *
 * Western text is then looked at once more: Mac Roman and CP437 have letters where windows-1252 has signs.
 *
 * Returns what `decodeBytes` takes (a label of the Encoding Standard, or one of four more), or null for no text.
 */
export function detectEncoding(sample: Uint8Array): string | null {
  const label = likelyEncoding(sample);
  const isLatin = label === 'windows-1252' || (label !== null && otherLatin.has(label));
  const isOpen = isLatin || (label === null && controlShare(sample) === 0);
  return isOpen ? (olderWestern(wordsBeyondAscii(sample), label) ?? label) : label;
}

function likelyEncoding(sample: Uint8Array): string | null {
  const marked = markedEncoding(sample);
  if (marked !== null) return marked;
  const zeros = zeroShare(sample);
  // Every Latin letter of UTF-16 has a zero byte, and what has none is hardly ever valid UTF-8. So these few are
  // accidents: a log with one of them was read as Chinese.
  const areStray = zeros <= maxStrayZeroShare && decodes(sample, 'utf-8');
  if (zeros > 0 && !areStray) return utf16WithoutMark(sample);
  if (decodes(sample, 'utf-8')) {
    if (isIso2022Jp(sample)) return 'iso-2022-jp';
    return controlShare(sample) - zeros <= maxControlShare ? 'utf-8' : null;
  }
  if (controlShare(sample) > maxControlShare) return utf16WithoutMark(sample);
  const words = wordsBeyondAscii(sample);
  for (const { name, confidence } of analyse(words)) {
    const label = labelOf(name);
    if (label === null || !decodes(sample, label) || !looksLikeText(sample, label)) continue;
    const isUnsure = otherLatin.has(label) && confidence <= unsureConfidence;
    return isUnsure && isWestern(words) ? 'windows-1252' : label;
  }
  const fallback = looksLikeText(sample, 'windows-1252') ? 'windows-1252' : null;
  return fallback ?? utf16WithoutMark(sample);
}

/**
 * The words that have a byte outside ASCII, since all others are the same in every encoding and only drown what the
 * statistics go by: some Cyrillic behind a page of English was taken for windows-1252. White space is no part of any
 * double-byte character, so that none is cut.
 */
function wordsBeyondAscii(sample: Uint8Array): Buffer {
  const words: Uint8Array[] = [];
  let start = 0;
  let isBeyond = false;
  for (let at = 0; at <= sample.length; at += 1) {
    const byte = sample[at] ?? 0x20;
    if (byte >= 0x80) isBeyond = true;
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) continue;
    if (isBeyond) words.push(sample.subarray(start, Math.min(at + 1, sample.length)));
    isBeyond = false;
    start = at + 1;
  }
  return Buffer.concat(words);
}

/** Encodings that a few words of Western text were taken for: `naïve` became `naďve`. */
const otherLatin = new Set(['windows-1250', 'iso-8859-2', 'windows-1254', 'windows-1257']);
/** Per cent. Of a few words chardet is at most this sure, of some lines of the right language surer. */
const unsureConfidence = 50;
/**
 * What French, German, Spanish and Italian have beyond ASCII, and their punctuation. Not `ø ì ò ù æ ã õ` and `ð ý þ`: the
 * same bytes are `ř ě ň ů ć ă ő` and `ğ ı ş`, without which few lines of Czech, Croatian, Romanian, Hungarian, Turkish go.
 */
const westernOnly = /^[\p{ASCII}äöüÄÖÜßéèêëàâçîïôûñáíóúÉÈÊÀÂÇÎÔÑÁÍÓÚœ«»“”„‘’–—…°§€\u00a0]*$/u;

function isWestern(words: Uint8Array): boolean {
  return westernOnly.test(new TextDecoder('windows-1252').decode(words));
}

/** A stray control character is an accident (an old printer file has form feeds and more); one in 200 is not text. */
const maxControlShare = 0.005;

/** One in a file of twenty bytes. A file format that is all ASCII but for its zeros (tar) has a third of them. */
const maxStrayZeroShare = 0.05;

function zeroShare(sample: Uint8Array): number {
  let zeros = 0;
  for (const byte of sample) if (byte === 0) zeros += 1;
  return sample.length === 0 ? 0 : zeros / sample.length;
}

function markedEncoding(sample: Uint8Array): string | null {
  const [first, second, third] = sample;
  const utf32 = isUtf32(sample);
  if (utf32 !== null) return looksLikeText(sample.subarray(0, sample.length & ~3), utf32) ? utf32 : null;
  if (first === 0xef && second === 0xbb && third === 0xbf) {
    return controlShare(sample) <= maxControlShare ? 'utf-8' : null;
  }
  // Nothing but the mark is a text too, an empty one.
  if (sample.length === 2 && first === 0xff && second === 0xfe) return 'utf-16le';
  if (sample.length === 2 && first === 0xfe && second === 0xff) return 'utf-16be';
  if (first === 0xff && second === 0xfe && looksLikeText(sample, 'utf-16le')) return 'utf-16le';
  if (first === 0xfe && second === 0xff && looksLikeText(sample, 'utf-16be')) return 'utf-16be';
  return null;
}

/** Names of chardet that the Encoding Standard does not know, or that are no candidates here. */
function labelOf(name: string): string | null {
  if (/^(?:UTF-|ASCII|mixed|ISO-2022)/i.test(name)) return null;
  if (name === 'ISO-8859-8-I') return 'iso-8859-8-i';
  try {
    return new TextDecoder(name).encoding;
  } catch {
    return null;
  }
}

/** A sample may end inside a character, so the decoder is told that more follows. */
function decodes(sample: Uint8Array, label: string): boolean {
  try {
    new TextDecoder(label, { fatal: true }).decode(sample, { stream: true });
    return true;
  } catch {
    return false;
  }
}

function isIso2022Jp(sample: Uint8Array): boolean {
  const head = Buffer.from(sample.buffer, sample.byteOffset, Math.min(sample.length, 65_536)).toString(
    'latin1',
  );
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the escape character is what is looked for.
  return /\x1b\$[@B]/.test(head) && /\x1b\([BJ]/.test(head) && decodes(sample, 'iso-2022-jp');
}

function controlShare(sample: Uint8Array): number {
  let controls = 0;
  for (const byte of sample) {
    if (byte < 32 ? !(byte >= 8 && byte <= 13) && byte !== 27 : byte === 127) controls += 1;
  }
  return sample.length === 0 ? 0 : controls / sample.length;
}

/** Unassigned, private and control characters and the replacement character: rare in text, common in nonsense. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the escape character is one that text may have.
const oddCharacters = /[\p{Cn}\p{Co}\p{Cs}\ufffd]|(?![\t\n\v\f\r\b\x1b])\p{Cc}/gu;

function looksLikeText(sample: Uint8Array, label: string): boolean {
  const even = label.startsWith('utf-16') ? sample.subarray(0, sample.length & ~1) : sample;
  const text = decodeBytes(label, even);
  const odd = text.match(oddCharacters)?.length ?? 0;
  return text.length > 0 && odd / text.length <= maxControlShare;
}

/**
 * Without a mark, UTF-16 shows itself by its spaces and line breaks: one of the two byte orders has far more of
 * them, and gives only assigned characters. Random bytes give some thousandths of lone surrogates at least.
 */
function utf16WithoutMark(sample: Uint8Array): string | null {
  if (sample.length < 4) return null;
  const spaces = (label: string) =>
    new TextDecoder(label)
      .decode(sample.subarray(0, sample.length & ~1), { stream: true })
      .match(/[ \n\u3000。，]/gu)?.length ?? 0;
  const [little, big] = [spaces('utf-16le'), spaces('utf-16be')];
  if (little === big) return null;
  const label = little > big ? 'utf-16le' : 'utf-16be';
  return looksLikeText(sample, label) ? label : null;
}
