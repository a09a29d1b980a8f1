import { setTimeout as delay } from 'node:timers/promises';
import { isAlive, type ProcessIdentity, signal } from './process-identity.ts';
import type { RunProcess } from './run-file.ts';

/** The order everything stops in: who takes work in first, what others stand on last. */
export const stopOrder: readonly (readonly string[])[] = [
  ['gateway'],
  ['ingest'],
  ['encoder', 'retriever', 'llm-generator'],
  ['mock-llm'],
  ['cache', 'redis'],
];

const budgetMs = 15_000;

/**
 * Ends what a supervisor left running when it was killed itself. Each process is compared with what was
 * written down when it started, so a pid that has gone to somebody else is never touched.
 * @returns how many were still alive
 */
export async function stopOrphans(processes: readonly RunProcess[]): Promise<number> {
  let found = 0;
  const known = stopOrder.flat();
  const others = processes.filter(({ service }) => !known.includes(service)).map(({ service }) => service);
  for (const services of [others, ...stopOrder]) {
    const alive = processes
      .filter(({ service }) => services.includes(service))
      .map(({ identity }) => identity)
      .filter((identity) => identity !== null)
      .filter(isAlive);
    found += alive.length;
    await endAll(alive);
  }
  return found;
}

async function endAll(identities: readonly ProcessIdentity[]): Promise<void> {
  for (const identity of identities) {
    signal(identity, 'SIGTERM');
    // One that was frozen takes no SIGTERM before it runs again.
    signal(identity, 'SIGCONT');
  }
  if (await allGone(identities, budgetMs)) return;
  for (const identity of identities) signal(identity, 'SIGKILL');
  await allGone(identities, budgetMs);
}

export async function allGone(identities: readonly ProcessIdentity[], withinMs: number): Promise<boolean> {
  const until = performance.now() + withinMs;
  while (identities.some(isAlive)) {
    if (performance.now() > until) return false;
    await delay(50);
  }
  return true;
}
