import { gatewayProblem } from '../problem.ts';

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/** Below this a bomb cannot hurt: 64 kB of `{},` parse in 2 ms to a megabyte, and the scan would cost every query. */
const scannedFromBytes = 64 * 1024;
const maxDepth = 32;
const maxParts = 10_000;

/**
 * Refuses large bodies that consist of structure instead of text, before they are parsed. No route takes
 * more than a few nested fields, but 32 MB of `[` or of `{},` would become a gigabyte of objects. Strings are
 * jumped over by `indexOf`, so a document of 32 MB is scanned in some milliseconds.
 * @throws HttpProblem 400 `invalid_json`
 */
export function assertModestJson(bytes: Buffer): void {
  if (bytes.length < scannedFromBytes) return;
  let depth = 0;
  let parts = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at] ?? 0;
    if (byte === quote) {
      at = endOfString(bytes, at);
    } else if (byte === openBracket || byte === openBrace) {
      depth += 1;
      parts += 1;
    } else if (byte === closeBracket || byte === closeBrace) {
      depth -= 1;
    } else if (byte === comma) {
      parts += 1;
    }
    if (depth > maxDepth || parts > maxParts) {
      throw gatewayProblem('invalid_json', {
        detail: `The JSON nests deeper than ${maxDepth} levels or has more than ${maxParts} parts.`,
      });
    }
  }
}

/** Index of the quote that closes the string begun at `start`; the end of the text when none does. */
function endOfString(bytes: Buffer, start: number): number {
  let end = bytes.indexOf(quote, start + 1);
  while (end !== -1) {
    let slashes = 0;
    while (bytes[end - 1 - slashes] === backslash) slashes += 1;
    if (slashes % 2 === 0) return end;
    end = bytes.indexOf(quote, end + 1);
  }
  return bytes.length;
}
