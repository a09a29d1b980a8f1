import { defaultTenant, type StageName } from '@vortex/contracts';
import {
  bareId,
  type DeadLetters,
  elementOfLetter,
  type FoundLetter,
  holdsIds,
  parseObject,
} from '@vortex/queue';
import type { Registry } from '@vortex/registry';

/**
 * The dead letters of one tenant: what is another's is not there, for reading, redriving and dropping alike.
 *
 *   the worker that wrote the letter has read whose job it was    theirs
 *   the letter holds a bare id                                     whose the registry says the job is
 *   neither: no worker's letter, an unreadable job, one forgotten  the default tenant's, whose admins run the instance
 */
export function ownLetters(
  deadLetters: DeadLetters,
  registry: Pick<Registry, 'tenantOfJob'>,
  tenant: string,
): DeadLetters {
  const isOwn = async (found: FoundLetter) => (await ownerOf(found, registry)) === tenant;

  async function* newestFirst(stage: StageName): AsyncGenerator<FoundLetter> {
    for await (const found of deadLetters.newestFirst(stage)) if (await isOwn(found)) yield found;
  }

  return {
    newestFirst,
    async find(id) {
      const found = await deadLetters.find(id);
      return found !== null && (await isOwn(found)) ? found : null;
    },
    redrive: (found, order) => deadLetters.redrive(found, order),
    drop: (found) => deadLetters.drop(found),
    counts: () => deadLetters.counts(),
    live: (lane) => deadLetters.live(lane),
    close: () => deadLetters.close(),
  };
}

async function ownerOf({ letter }: FoundLetter, registry: Pick<Registry, 'tenantOfJob'>): Promise<string> {
  if (letter === null) return defaultTenant;
  if (letter.tenant !== undefined) return letter.tenant;
  const element = elementOfLetter(letter)?.toString('utf8');
  if (element === undefined) return defaultTenant;
  if (!holdsIds(letter.queue)) return tenantIn(element);
  const id = bareId(element);
  return (id === null ? null : await registry.tenantOfJob(id)) ?? defaultTenant;
}

/** Of letters from before workers wrote it down. */
function tenantIn(element: string): string {
  const tenant = parseObject(element)?.tenant;
  return typeof tenant === 'string' && tenant !== '' ? tenant : defaultTenant;
}
