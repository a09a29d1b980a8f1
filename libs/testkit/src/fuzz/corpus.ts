import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

/** A saved input of a fuzzer: what it begins with, or what once broke something. */
export interface CorpusFile {
  /** Says what it is. */
  name: string;
  bytes: Buffer;
}

/** The files of a folder, in the order of their names. One that is large and dull is kept packed, as `….gz`. */
export function readCorpus(folder: string): CorpusFile[] {
  return readdirSync(folder)
    .filter((name) => name !== 'README.md')
    .sort()
    .map((name) => {
      const bytes = readFileSync(join(folder, name));
      return name.endsWith('.gz') ? { name: name.slice(0, -3), bytes: gunzipSync(bytes) } : { name, bytes };
    });
}
