import { createReadStream } from 'node:fs';
import { chunk } from '@vortex/contracts';
import type { Piece } from '@vortex/documents';

const piece = chunk.omit({ chunk_id: true });
const newLine = 0x0a;

/**
 * The pieces of a read document from ordinal `from` on. Lines end at `\n` alone: `node:readline` also ends them at
 * U+2028, which JSON leaves as it is.
 *
 * @throws an error when the file ends inside a line or a line is no piece.
 */
export async function* readPieces(piecesFile: string, from = 0): AsyncGenerator<Piece> {
  let rest: Buffer[] = [];
  let ordinal = 0;
  for await (const part of createReadStream(piecesFile) as AsyncIterable<Buffer>) {
    let start = 0;
    for (let end = part.indexOf(newLine); end !== -1; end = part.indexOf(newLine, start)) {
      const line = part.subarray(start, end);
      if (ordinal >= from) yield piece.parse(JSON.parse(Buffer.concat([...rest, line]).toString('utf8')));
      rest = [];
      ordinal += 1;
      start = end + 1;
    }
    if (start < part.length) rest.push(Buffer.from(part.subarray(start)));
  }
  if (rest.length > 0) throw new Error(`${piecesFile} ends inside piece ${ordinal}`);
}
