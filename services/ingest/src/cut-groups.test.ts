import type { Piece } from '@vortex/documents';
import { describe, expect, it } from 'vitest';
import { createGroupCutter } from './cut-groups.ts';

const piece = (ordinal: number): Piece => ({
  ordinal,
  text: `piece ${ordinal}`,
  source_span: [ordinal * 10, ordinal * 10 + 9],
  page: null,
  heading_path: [],
  context: '',
  tokens: 2,
});

/** Counts how far it has been read and where it was opened. */
function source(pieces: number, present = pieces) {
  const read = { from: -1, to: 0 };
  return {
    read,
    pieces,
    async *piecesFrom(ordinal: number) {
      read.from = ordinal;
      for (let at = ordinal; at < present; at += 1) {
        read.to = at + 1;
        yield piece(at);
      }
    },
  };
}
const names = async (cutter: ReturnType<typeof createGroupCutter>) => {
  const cut: [number, number][] = [];
  for (let group = await cutter.next(); group !== null; group = await cutter.next()) {
    cut.push([group.firstOrdinal, group.pieces.length]);
  }
  return cut;
};

describe('cutting a stream into groups', () => {
  it('groups begin at multiples of the size, the last one is what is left', async () => {
    const cutter = createGroupCutter({ ...source(10), stored: [] }, 4);
    expect(await names(cutter)).toEqual([
      [0, 4],
      [4, 4],
      [8, 2],
    ]);
    expect(cutter.isAtEnd()).toBe(true);
  });

  it('stored groups are left out, and the stream is opened where something is missing', async () => {
    const from = source(14);
    const stored = [
      { firstOrdinal: 0, chunks: 4 },
      { firstOrdinal: 8, chunks: 4 },
      // Cut by another group size: not this group.
      { firstOrdinal: 12, chunks: 1 },
    ];
    expect(await names(createGroupCutter({ ...from, stored }, 4))).toEqual([
      [4, 4],
      [12, 2],
    ]);
    expect(from.read.from).toBe(4);
  });

  it('reads no further than the group that was asked for, however many ask', async () => {
    const from = source(1000);
    const cutter = createGroupCutter({ ...from, stored: [] }, 4);
    const both = await Promise.all([cutter.next(), cutter.next()]);
    expect(both.map((group) => group?.firstOrdinal)).toEqual([0, 4]);
    expect(from.read.to).toBe(8);
    await cutter.close();
  });

  it('everything stored: nothing is opened', async () => {
    const from = source(4);
    const cutter = createGroupCutter({ ...from, stored: [{ firstOrdinal: 0, chunks: 4 }] }, 4);
    expect(await cutter.next()).toBeNull();
    expect(from.read.from).toBe(-1);
  });

  it('a file with fewer pieces than it should have is an error, not a shorter document', async () => {
    const cutter = createGroupCutter({ ...source(10, 6), stored: [] }, 4);
    await cutter.next();
    await expect(cutter.next()).rejects.toThrow('10 pieces, of which 6');
  });
});
