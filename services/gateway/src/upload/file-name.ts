import { visibleText } from '@vortex/contracts';

const maxBytes = 255;

/**
 * What a client calls its file, as data: shown, sniffed by its ending, part of the document's identity, and never
 * a path of ours. The last part behind either kind of slash, without control characters and what nobody sees
 * (directions make `exe.fdp` look like `pdf.exe`), composed (macOS sends
 * `é` as two code points), at most 255 bytes of UTF-8 with its ending kept. Null: nothing is left of it.
 */
export function fileNameOf(sent: string): string | null {
  const last = sent.split(/[/\\]/).at(-1) ?? '';
  const name = visibleText(last.toWellFormed().replaceAll(/\p{Cc}/gu, ''))
    .normalize('NFC')
    .trim();
  if (name === '' || name === '.' || name === '..') return null;
  if (Buffer.byteLength(name) <= maxBytes) return name;
  const dot = name.lastIndexOf('.');
  const ending = dot > 0 && Buffer.byteLength(name.slice(dot)) <= 32 ? name.slice(dot) : '';
  return `${cut(name, maxBytes - Buffer.byteLength(ending))}${ending}`;
}

/** Whole characters only. */
function cut(text: string, bytes: number): string {
  let kept = '';
  let left = bytes;
  for (const character of text) {
    left -= Buffer.byteLength(character);
    if (left < 0) break;
    kept += character;
  }
  return kept;
}
