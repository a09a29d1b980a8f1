import { copyFileSync, statSync, truncateSync } from 'node:fs';

const maxLogBytes = 10 * 1024 * 1024;

/**
 * Keeps a log under twice its bound: what is there becomes `<file>.1` and the file starts again at zero.
 * The services hold the file open for appending themselves: a pipe through the supervisor would break
 * when it is killed, and take them along. Lines written between the copy and the cut are lost.
 * @returns whether the file was rotated
 */
export function rotateLog(file: string, maxBytes: number = maxLogBytes): boolean {
  try {
    if (statSync(file).size <= maxBytes) return false;
    copyFileSync(file, `${file}.1`);
    truncateSync(file, 0);
    return true;
  } catch {
    // No such log yet, or a full disk: the services go on, the next round tries again.
    return false;
  }
}
