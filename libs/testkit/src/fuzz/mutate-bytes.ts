import type { Chance } from './chance.ts';

/** Lengths, counts and offsets that readers of binary files trip over. */
const edges = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff];

/** Some bytes of it are others: a bit, a number, a part that is missing, twice, elsewhere, or of another file. */
export function mutateBytes(bytes: Buffer, chance: Chance, other: Buffer): Buffer {
  const place = chance.below(bytes.length + 1);
  const length = Math.min(bytes.length - place, 1 + chance.below(chance.is(0.5) ? 8 : bytes.length));
  const [before, part, behind] = [
    bytes.subarray(0, place),
    bytes.subarray(place, place + length),
    bytes.subarray(place + length),
  ];
  switch (chance.below(9)) {
    case 0:
      return changed(bytes, (copy) => {
        for (let flips = 1 + chance.below(8); flips > 0; flips -= 1) {
          const at = chance.below(copy.length);
          copy[at] = (copy[at] ?? 0) ^ (1 << chance.below(8));
        }
      });
    case 1:
      return changed(bytes, (copy) => copy.fill(chance.oneOf([0, 0x20, 0xff]), place, place + length));
    case 2:
      return changed(bytes, (copy) => {
        if (copy.length >= 4) copy.writeUInt32LE(chance.oneOf(edges), chance.below(copy.length - 3));
      });
    case 3:
      return changed(bytes, (copy) => {
        if (copy.length >= 2) copy.writeUInt16LE(chance.oneOf(edges) & 0xffff, chance.below(copy.length - 1));
      });
    case 4:
      return before;
    case 5:
      return Buffer.concat([before, behind]);
    case 6:
      return Buffer.concat([before, ...Array.from({ length: 2 + chance.below(6) }, () => part), behind]);
    case 7:
      return Buffer.concat([before, behind, part]);
    default: {
      const start = chance.below(other.length + 1);
      return Buffer.concat([before, other.subarray(start, start + 1 + chance.below(4096)), behind]);
    }
  }
}

function changed(bytes: Buffer, change: (copy: Buffer) => void): Buffer {
  const copy = Buffer.from(bytes);
  if (copy.length > 0) change(copy);
  return copy;
}
