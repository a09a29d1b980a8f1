import { setTimeout as delay } from 'node:timers/promises';

/**
 * Waits for a fact, not for a time: asks every 5 ms until the answer is truthy and returns it. Half a minute is for a
 * machine that is busy with other tests; nobody waits that long for what is going to be.
 * @throws when it has not become so within `withinMs`, naming what was awaited.
 */
export async function until<Fact>(
  what: string,
  ask: () => Fact | Promise<Fact>,
  withinMs = 30_000,
): Promise<NonNullable<Fact>> {
  const end = performance.now() + withinMs;
  for (;;) {
    const fact = await ask();
    if (fact) return fact;
    if (performance.now() > end) throw new Error(`waited ${withinMs} ms in vain for: ${what}`);
    await delay(5);
  }
}
