import { createRestingLine } from './resting-line.ts';

/**
 * The system copies an answer of 200 kB in one go, some 3 ms on loopback: 166 connections that asked for openapi.json, 50 times each,
 * kept the event loop in `writev` for a second, and everybody else waited for 100 ms and more.
 */
const largeBytes = 32 * 1024;

const turn = createRestingLine();

/** Resolves when an answer of this size may be written. Undefined: at once. */
export function turnToWrite(bytes: number): Promise<void> | undefined {
  return bytes < largeBytes ? undefined : turn();
}
