const quote = 0x22;
const backslash = 0x5c;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/** No envelope of ours nests more than ten levels. */
export const maxElementNesting = 200;

/**
 * Whether a JSON text nests deeper than anything of ours does. JSON.parse reads a hundred thousand levels,
 * JSON.stringify falls at some five thousand of them: an element between the two could be read and not be written
 * again. Of a dead worker it then stopped every caretaker's round at the same place, for ever.
 *
 * Counted before parsing; strings are jumped over, so that 64 MB of text cost some milliseconds.
 */
export function nestsTooDeep(json: string): boolean {
  if (json.length < 2 * maxElementNesting) return false;
  let depth = 0;
  for (let at = 0; at < json.length; at += 1) {
    const unit = json.charCodeAt(at);
    if (unit === quote) at = endOfString(json, at);
    else if (unit === openBracket || unit === openBrace) {
      depth += 1;
      if (depth > maxElementNesting) return true;
    } else if (unit === closeBracket || unit === closeBrace) depth -= 1;
  }
  return false;
}

/** Place of the quote that closes the string begun at `start`; the text's end when none does. */
function endOfString(json: string, start: number): number {
  for (let end = json.indexOf('"', start + 1); end !== -1; end = json.indexOf('"', end + 1)) {
    let slashes = 0;
    while (json.charCodeAt(end - 1 - slashes) === backslash) slashes += 1;
    if (slashes % 2 === 0) return end;
  }
  return json.length;
}
