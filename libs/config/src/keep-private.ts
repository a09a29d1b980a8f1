import { chmodSync, lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Bits of the group and of everybody else. */
const others = 0o077;

/**
 * The data folder holds documents, questions, answers and hashes of keys: it is readable by the user of the services and
 * by nobody else. What this process makes from here on is so from its first moment (native stores and SQLite ask
 * nobody for a mode), and what an earlier version left open is closed.
 */
export function keepPrivate(dataDir: string): void {
  process.umask(others);
  tightenFolder(dataDir);
}

/**
 * The folder and what lies directly in it. Deeper down nothing is reached by anybody who may not enter the folder; and
 * to look at each of a hundred thousand originals would take seconds of every start.
 */
export function tightenFolder(folder: string): void {
  tighten(folder);
  for (const name of namesIn(folder)) tighten(join(folder, name));
}

function tighten(path: string): void {
  try {
    const entry = lstatSync(path);
    if (entry.isSymbolicLink() || (entry.mode & others) === 0) return;
    chmodSync(path, entry.mode & 0o700);
  } catch {
    // Gone meanwhile, or not ours to close: a mount of somebody else's, a file system without modes.
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
