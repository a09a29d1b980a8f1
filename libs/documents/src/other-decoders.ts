/** Encodings that people's files have and `TextDecoder` has not: UTF-32 with its mark, and that of DOS. */

/** Bytes 0x80 to 0xff of code page 437. */
const cp437 =
  'ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0';

export function isUtf32(bytes: Uint8Array): 'utf-32le' | 'utf-32be' | null {
  const [first, second, third, fourth] = bytes;
  if (bytes.length < 4) return null;
  if (first === 0xff && second === 0xfe && third === 0 && fourth === 0) return 'utf-32le';
  if (first === 0 && second === 0 && third === 0xfe && fourth === 0xff) return 'utf-32be';
  return null;
}

/**
 * Text without its mark. `bytes` may end inside of a character; what is then left over is dropped, so that of a whole
 * file it is given with `isWhole`.
 */
export function decodeBytes(label: string, bytes: Uint8Array, isWhole = false): string {
  if (label === 'cp437') {
    const text = Buffer.from(bytes).toString('latin1');
    return text.replace(/[\x80-\xff]/g, (byte) => cp437[byte.charCodeAt(0) - 0x80] ?? '');
  }
  if (label === 'utf-32le' || label === 'utf-32be') return decodeUtf32(bytes, label === 'utf-32le');
  return new TextDecoder(label).decode(bytes, { stream: !isWhole });
}

function decodeUtf32(bytes: Uint8Array, isLittle: boolean): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let text = '';
  for (let at = 4; at + 4 <= bytes.length; at += 4) {
    const point = view.getUint32(at, isLittle);
    text += point > 0x10ffff ? '\ufffd' : String.fromCodePoint(point);
  }
  return text.toWellFormed();
}
