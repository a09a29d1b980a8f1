import { utimes } from 'node:fs/promises';

/**
 * Tells the sweep that the files an upload has finished are still wanted, while it brings the others: 200 MB at the
 * slowest rate that is allowed take a day. Called for every piece that earns time, it touches them once a minute.
 */
export function keepArrived(everyMs = 60_000): { add(path: string): void; touch(): Promise<void> } {
  const paths: string[] = [];
  let touchedAt = performance.now();
  return {
    add: (path) => void paths.push(path),
    async touch() {
      if (performance.now() - touchedAt < everyMs) return;
      touchedAt = performance.now();
      const now = new Date();
      // One that cannot be touched has been removed with its upload, or is noticed when it is adopted.
      await Promise.allSettled(paths.map((path) => utimes(path, now, now)));
    },
  };
}
