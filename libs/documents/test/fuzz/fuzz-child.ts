import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Chance } from '@vortex/testkit/fuzz';
import { documentSeeds } from './document-seeds.ts';
import { mutateDocument } from './mutate-document.ts';
import { readAndCheck } from './read-and-check.ts';

/** The process that reads: it may be killed by what it reads, and its parent says by what. */
export interface FuzzTask {
  seed: number;
  /** The first case, and the one behind the last. */
  from: number;
  to: number;
  folder: string;
}

export type FuzzReport =
  | { kind: 'begun'; number: number; file: string }
  | { kind: 'ended'; number: number; file: string; outcome: string }
  | { kind: 'complaint'; number: number; file: string; complaint: string };

const report = (message: FuzzReport) => process.send?.(message);
process.on('disconnect', () => process.exit(0));
process.on('message', async ({ seed, from, to, folder }: FuzzTask) => {
  const seeds = documentSeeds();
  for (let number = from; number < to; number += 1) {
    const chance = Chance.ofCase(seed, number);
    // Every seed in turn: small ones are not to be tried a hundred times as often as the PDF.
    const { name, bytes } = seeds[number % seeds.length] ?? chance.oneOf(seeds);
    let made = bytes;
    for (let rounds = chance.oneOf([1, 1, 1, 2, 3]); rounds > 0; rounds -= 1) {
      made = mutateDocument(name, made, chance, chance.oneOf(seeds).bytes);
    }
    mkdirSync(folder, { recursive: true });
    const file = join(folder, `${seed}-${number}-${name}`);
    writeFileSync(file, made.subarray(0, 4 * 1024 * 1024));
    report({ kind: 'begun', number, file });
    const asType = chance.is(0.3) ? (seeds[number % seeds.length]?.mediaType ?? null) : null;
    try {
      report({ kind: 'ended', number, file, outcome: await readAndCheck(file, name, asType) });
    } catch (error) {
      const complaint = error instanceof Error ? (error.stack ?? error.message) : String(error);
      report({ kind: 'complaint', number, file, complaint });
    }
  }
  process.disconnect?.();
});
