import { chmodSync, lstatSync, readdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

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

/** What services and launcher keep directly in a data folder. */
const ours =
  /^(?:registry\.db(?:-\w+)?|key-pepper|local-key|prometheus\.yml|logs|models|observe|originals|redis|run|spool|texts|vectors)$/;

/**
 * The folder and what lies directly in it. Deeper down nothing is reached by anybody who may not enter the folder; and
 * to look at each of a hundred thousand originals would take seconds of every start. A folder that holds other things as
 * well is not ours to close, `--data /tmp` as root would take it from everybody: of one that has been a data folder before,
 * what is ours in it is closed, of any other nothing.
 */
export function tightenFolder(folder: string): void {
  const names = namesIn(folder);
  const own = names.filter((name) => ours.test(name));
  const isOurs = own.length === names.length && dirname(resolve(folder)) !== resolve(folder);
  if (isOurs) tighten(folder);
  if (isOurs || names.includes('registry.db')) for (const name of own) tighten(join(folder, name));
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
