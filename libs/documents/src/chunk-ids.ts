import { createHash } from 'node:crypto';
import { type Chunk, idDigits } from '@vortex/contracts';
import type { Piece } from './chunk-options.ts';

/**
 * Chunk ids are made of what the chunk is: document, version, place and span. The same group stored twice
 * writes the same rows, and a run that takes over from a dead one continues its rows instead of doubling them.
 */
export function identifyChunks(pieces: Piece[], of: { documentId: string; version: number }): Chunk[] {
  return pieces.map((piece) => ({ chunk_id: chunkId(of, piece), ...piece }));
}

function chunkId(of: { documentId: string; version: number }, piece: Piece): string {
  const [start, end] = piece.source_span;
  const name = [of.documentId, of.version, piece.ordinal, start, end].join('\n');
  let rest = BigInt(`0x${createHash('sha256').update(name).digest('hex')}`);
  let id = '';
  for (let place = 0; place < 22; place += 1) {
    id += idDigits[Number(rest % 62n)];
    rest /= 62n;
  }
  return `chk_${id}`;
}
