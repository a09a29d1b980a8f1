import { type Dirent, globSync, lstatSync, readdirSync, type Stats, statSync } from 'node:fs';
import { basename, join, relative, resolve, sep } from 'node:path';
import { mediaTypeOfName, readFormats } from '@vortex/documents';
import { CommandProblem } from '../problem.ts';

export interface FoundFile {
  path: string;
  /** Where it lies below what was named on the command line: the caller's id for the document. */
  name: string;
}

/**
 * Files, folders with all below them, and patterns that the shell left alone. Below folders only what has an
 * ending of a format we read counts, without hidden entries and node_modules; a file named by hand is taken
 * whatever its ending says. A symbolic link to a file is that file; one to a folder is followed only where it is
 * named by hand itself, for below a folder it may lead back to what is above it.
 * @throws CommandProblem (exit 2) for a path that is not there, when nothing was found, and when two files
 * would be the same document
 */
export function findFiles(paths: readonly string[], options: { mayBeEmpty?: boolean } = {}): FoundFile[] {
  const missing = paths.filter((path) => !isThere(path) && !isPattern(path));
  if (missing.length > 0) {
    throw new CommandProblem(`There is no ${missing.join(', no ')}.`, { exitCode: 2 });
  }
  const files = scanFiles(paths);
  if (files.length === 0 && !options.mayBeEmpty) {
    throw new CommandProblem(`No file to read in ${paths.join(', ')}.`, {
      ways: [`${readFormats}.`],
      exitCode: 2,
    });
  }
  refuseNamesakes(files);
  return files;
}

/** The same without complaints: what is there now. */
export function scanFiles(paths: readonly string[]): FoundFile[] {
  const found = paths.flatMap((path) => {
    if (isThere(path)) return filesOf(path);
    const base = baseOf(path);
    return globSync(path)
      .filter((match) => !leadsThroughLink(base, match))
      .flatMap(filesOf)
      .map((file) => ({ path: file.path, name: slashed(relative(base, file.path)) }))
      .filter(({ name }) => isWanted(name));
  });
  return [...new Map(found.map((file) => [resolve(file.path), file])).values()];
}

function filesOf(path: string): FoundFile[] {
  const state = stateOf(path);
  if (state === undefined) return [];
  if (!state.isDirectory()) return state.isFile() ? [{ path, name: basename(path) }] : [];
  return filesBelow(path)
    .map((file) => ({ path: file, name: slashed(relative(path, file)) }))
    .filter(({ name }) => isWanted(name));
}

/** Not `recursive: true`, which follows links to folders: one loop gave 40 copies of all that was in it. */
function filesBelow(folder: string): string[] {
  return entriesOf(folder).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return isWanted(entry.name) ? filesBelow(path) : [];
    if (mediaTypeOfName(entry.name) === null) return [];
    return entry.isFile() || (entry.isSymbolicLink() && isFile(path)) ? [path] : [];
  });
}

function isWanted(name: string): boolean {
  return !name.split('/').some((part) => (part.startsWith('.') && part !== '..') || part === 'node_modules');
}

/** Gone meanwhile: nothing is in it. */
function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/** Of what a link leads to; undefined when that is nothing, or the link itself. */
function stateOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    if (codeOf(error) === 'ELOOP') return undefined;
    throw error;
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

function isFile(path: string): boolean {
  return stateOf(path)?.isFile() ?? false;
}

/** `**` follows links to folders, though only once. */
function leadsThroughLink(base: string, match: string): boolean {
  const parts = relative(base, match).split(sep);
  return parts.some((_, index) => isLinkToFolder(join(base, ...parts.slice(0, index + 1))));
}

function isLinkToFolder(path: string): boolean {
  const isLink = lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
  return isLink && (stateOf(path)?.isDirectory() ?? false);
}

function isThere(path: string): boolean {
  return stateOf(path) !== undefined;
}

function isPattern(path: string): boolean {
  return /[*?[\]{}]/.test(path);
}

/** The folder in front of a pattern's first part that is one. */
function baseOf(pattern: string): string {
  const parts = pattern.split(/[\\/]/);
  const first = parts.findIndex(isPattern);
  return parts.slice(0, first === -1 ? -1 : first).join('/') || (pattern.startsWith('/') ? '/' : '.');
}

function slashed(path: string): string {
  return path.split(sep).join('/');
}

/** The second would silently replace the first. */
function refuseNamesakes(files: readonly FoundFile[]): void {
  const byName = Map.groupBy(files, ({ name }) => name);
  for (const [name, namesakes] of byName) {
    if (namesakes.length < 2) continue;
    throw new CommandProblem(
      `${namesakes.map(({ path }) => path).join(' and ')} would both be the document ${name}.`,
      {
        ways: ['Name the folder that holds them, or quote the pattern: then the folder is part of the name'],
        exitCode: 2,
      },
    );
  }
}
