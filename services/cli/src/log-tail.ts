import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

const tailBytes = 16 * 1024;

/** The last lines of a log, at most `count`; none when there is no such file. JSON lines are shortened to what a person reads. */
export function lastLines(file: string, count: number): string[] {
  let descriptor: number;
  try {
    descriptor = openSync(file, 'r');
  } catch {
    return [];
  }
  try {
    const { size } = fstatSync(descriptor);
    const buffer = Buffer.alloc(Math.min(size, tailBytes));
    readSync(descriptor, buffer, 0, buffer.length, size - buffer.length);
    const lines = buffer.toString('utf8').split('\n').filter(Boolean);
    return lines.slice(-count).map(readable);
  } finally {
    closeSync(descriptor);
  }
}

function readable(line: string): string {
  if (!line.startsWith('{')) return line;
  try {
    const { level, msg, err, error } = JSON.parse(line) as Record<string, unknown>;
    if (typeof msg !== 'string') return line;
    const cause = err ?? error;
    const detail =
      typeof cause === 'object' && cause !== null && 'message' in cause ? String(cause.message) : cause;
    return `${String(level)}: ${msg}${detail === undefined ? '' : ` (${String(detail)})`}`;
  } catch {
    return line;
  }
}
