import { setTimeout as delay } from 'node:timers/promises';

/**
 * Waits for a fact; milliseconds it took.
 * @throws when it has not become so in time, naming it and what was last seen.
 */
export async function within(
  ms: number,
  what: string,
  ask: () => boolean | Promise<boolean>,
  everyMs = 50,
): Promise<number> {
  const begun = performance.now();
  let last: unknown = 'not so';
  for (;;) {
    try {
      if (await ask()) return performance.now() - begun;
      last = 'not so';
    } catch (error) {
      last = error instanceof Error ? error.message : error;
    }
    if (performance.now() - begun > ms) throw new Error(`not within ${ms} ms: ${what} (${String(last)})`);
    await delay(everyMs);
  }
}

/** For faults that are made of time. */
export async function pause(ms: number): Promise<void> {
  await delay(ms);
}
