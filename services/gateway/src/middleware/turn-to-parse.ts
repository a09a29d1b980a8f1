import { createRestingLine } from '../transport/resting-line.ts';

/** 200 bodies of a megabyte may end in the same moment. */
const largeBytes = 64 * 1024;

const turn = createRestingLine();

/** Resolves when a body of this size may be parsed. Undefined: at once. */
export function turnToParse(bytes: number): Promise<void> | undefined {
  return bytes < largeBytes ? undefined : turn();
}
