import type { Piece } from '@vortex/documents';
import type { StoredGroup } from '@vortex/registry';

export interface Group {
  firstOrdinal: number;
  pieces: Piece[];
}

/**
 * Cuts a stream of pieces into groups and leaves out those that are stored already. Groups begin at multiples of
 * `groupSize`, so that whoever takes over cuts the same ones; the stream is opened at the first that is missing.
 */
export interface GroupCutter {
  /** One at a time, however many ask; null at the end. */
  next(): Promise<Group | null>;
  isAtEnd(): boolean;
  close(): Promise<void>;
}

export function createGroupCutter(
  source: {
    pieces: number;
    piecesFrom(ordinal: number): AsyncIterable<Piece>;
    stored: readonly StoredGroup[];
  },
  groupSize: number,
): GroupCutter {
  const stored = new Map(source.stored.map((group) => [group.firstOrdinal, group.chunks]));
  const sizeAt = (ordinal: number) => Math.min(groupSize, source.pieces - ordinal);
  const isStored = (ordinal: number) => stored.get(ordinal) === sizeAt(ordinal);
  let ordinal = 0;
  let opened: AsyncIterator<Piece> | undefined;
  let turn: Promise<unknown> = Promise.resolve();

  const skipStored = () => {
    while (ordinal < source.pieces && isStored(ordinal)) ordinal += groupSize;
  };
  skipStored();

  async function cut(): Promise<Group | null> {
    while (ordinal < source.pieces) {
      opened ??= source.piecesFrom(ordinal)[Symbol.asyncIterator]();
      const group: Group = { firstOrdinal: ordinal, pieces: [] };
      while (group.pieces.length < sizeAt(ordinal)) {
        const { done, value } = await opened.next();
        if (done) {
          const found = ordinal + group.pieces.length;
          throw new Error(`the document was cut into ${source.pieces} pieces, of which ${found} are there`);
        }
        group.pieces.push(value);
      }
      const wasStored = isStored(ordinal);
      ordinal += groupSize;
      if (!wasStored) return group;
    }
    return null;
  }

  return {
    next() {
      const mine = turn.then(cut);
      turn = mine.catch(() => undefined);
      return mine;
    },
    isAtEnd: () => ordinal >= source.pieces,
    async close() {
      await turn;
      await opened?.return?.();
    },
  };
}
