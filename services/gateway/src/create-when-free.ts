import { setTimeout as delay } from 'node:timers/promises';
import type { Collection, NewCollection, Registry } from '@vortex/registry';

/**
 * Makes a collection whose name may still be taken by one that is being removed. The retriever usually has removed
 * it within a second or two, and a script that deletes a collection and makes it anew should not have to know; so it
 * is waited for, a little.
 *
 *   create ──made──► the collection
 *     │ └──taken, and found──► 'exists'
 *     └──taken, and not found──► again after pollMs, until waitMs are over or `signal` aborts: 'deleting'
 */
export async function createWhenFree(
  registry: Pick<Registry, 'createCollection' | 'getCollection'>,
  input: NewCollection,
  { signal, waitMs = 5000, pollMs = 100 }: { signal: AbortSignal; waitMs?: number; pollMs?: number },
): Promise<Collection | 'exists' | 'deleting'> {
  const until = performance.now() + waitMs;
  for (;;) {
    const created = await registry.createCollection(input);
    if (created !== null) return created;
    if ((await registry.getCollection(input.tenant, input.name)) !== null) return 'exists';
    if (performance.now() >= until) return 'deleting';
    await delay(pollMs, undefined, { signal }).catch(() => undefined);
    // Nobody would learn that it was made.
    if (signal.aborted) return 'deleting';
  }
}
