const firstMs = 200;
const longestMs = 5000;

/** Wait before the restart that follows `failures` ends in a row without the service having been ready. */
export function restartDelayMs(failures: number): number {
  return Math.min(longestMs, firstMs * 2 ** Math.min(failures, 16));
}
