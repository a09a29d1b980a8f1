import { isUtf8 } from 'node:buffer';
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { decodeBytes, isUtf32 } from '../other-decoders.ts';
import { detectEncoding } from '../text-encoding.ts';
import { assertWithin, corrupt, type ParseRequest } from './parsed-text.ts';

const sampleBytes = 64 * 1024;

/**
 * A file of text as a string without byte order mark, well-formed. A file that is UTF-8 but for a few damaged
 * characters stays UTF-8 (they become U+FFFD); anything else is decoded by what its bytes look like.
 *
 * @param declared an encoding the text itself names (HTML's meta element); used when the bytes are not UTF-8.
 */
export async function decodeFile(
  request: ParseRequest,
  declared?: (head: string) => string | null,
): Promise<string> {
  const { file, limits, onProgress } = request;
  const { size } = await stat(file);
  // One UTF-16 unit takes at most three bytes of any encoding here, so only a file in between has to be counted.
  assertWithin(limits, 'maxTextCharacters', Math.floor(size / 4));
  if (size > limits.maxTextCharacters) assertWithin(limits, 'maxTextCharacters', await countCharacters(file));
  const bytes = await readFile(file);
  onProgress(0, size, 'bytes');
  const text = decode(bytes, declared);
  onProgress(size, size, 'bytes');
  return text;
}

async function countCharacters(file: string): Promise<number> {
  let characters = 0;
  let head: Buffer | null = null;
  for await (const part of createReadStream(file, {
    highWaterMark: 4 * 1024 * 1024,
  }) as AsyncIterable<Buffer>) {
    head ??= part;
    // UTF-16 has two bytes for a unit; of all others, what continues a UTF-8 character is not counted.
    if ((head[0] === 0xff && head[1] === 0xfe) || (head[0] === 0xfe && head[1] === 0xff))
      characters += part.length / 2;
    else for (const byte of part) if ((byte & 0xc0) !== 0x80) characters += 1;
  }
  return characters;
}

export function decode(bytes: Buffer, declared?: (head: string) => string | null): string {
  if (bytes.length === 0) return '';
  const head = bytes.subarray(0, sampleBytes);
  const marked = detectEncoding(head);
  const utf32 = isUtf32(bytes);
  if (utf32 !== null && marked === utf32) return decodeBytes(utf32, bytes, true);
  if (marked?.startsWith('utf-16') === true) return new TextDecoder(marked).decode(bytes).toWellFormed();
  if (isUtf8(bytes) && marked !== 'iso-2022-jp') return withoutMark(bytes.toString('utf8'));
  const named = declared?.(head.toString('latin1')) ?? null;
  const label = (named === null ? null : labelOf(named)) ?? (isNearlyUtf8(bytes) ? 'utf-8' : null);
  const encoding = label ?? detectEncoding(sampleOf(bytes));
  if (encoding === null) throw corrupt('The file is no text in any known encoding');
  return decodeBytes(encoding, bytes, true).toWellFormed();
}

function withoutMark(text: string): string {
  return text.startsWith('\ufeff') ? text.slice(1) : text;
}

function labelOf(name: string): string | null {
  try {
    return new TextDecoder(name).encoding;
  } catch {
    return null;
  }
}

/** Where characters outside ASCII are: the head of a file may have none. */
function sampleOf(bytes: Buffer): Buffer {
  const first = bytes.findIndex((byte) => byte >= 0x80);
  const start = Math.max(0, first - 1024);
  return bytes.subarray(start, start + sampleBytes);
}

function isNearlyUtf8(bytes: Buffer): boolean {
  const sample = sampleOf(bytes).toString('utf8');
  const damaged = sample.match(/\ufffd/g)?.length ?? 0;
  const whole = sample.match(/[^\p{ASCII}\ufffd]/gu)?.length ?? 0;
  return whole > damaged * 10;
}
