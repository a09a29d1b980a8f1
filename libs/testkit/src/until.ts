import { setTimeout as delay } from 'node:timers/promises';

/**
 * Waits for a fact, not for a time: asks every 5 ms until the answer is truthy and returns it.
 * @throws when it has not become so within `withinMs`, naming what was awaited.
 */
export async function until<Fact>(
  what: string,
  ask: () => Fact | Promise<Fact>,
  withinMs = 10_000,
): Promise<NonNullable<Fact>> {
  const end = performance.now() + withinMs;
  for (;;) {
    const fact = await ask();
    if (fact) return fact;
    if (performance.now() > end) throw new Error(`waited ${withinMs} ms in vain for: ${what}`);
    await delay(5);
  }
}
