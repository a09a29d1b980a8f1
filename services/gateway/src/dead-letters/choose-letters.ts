import { type StageName, stageNames } from '@vortex/contracts';
import type { DeadLetters, FoundLetter } from '@vortex/queue';
import type { ListPlace } from '@vortex/registry';
import { cursorOf } from '../paging.ts';

export interface LetterFilter {
  stages?: readonly StageName[];
  code?: string;
  ids?: ReadonlySet<string>;
  /** Epoch milliseconds, of the job's end. */
  before?: number;
  after?: number;
}

/** What no worker wrote has no code of its own. */
const invalidLetterCode = 'invalid_letter';

export function codeOf({ letter }: FoundLetter): string {
  return letter?.code ?? invalidLetterCode;
}

export function fits(found: FoundLetter, { code, ids, before, after }: LetterFilter): boolean {
  if (code !== undefined && codeOf(found) !== code) return false;
  if (ids !== undefined && !ids.has(found.id)) return false;
  if (before === undefined && after === undefined) return true;
  const endedAt = found.letter?.last_at;
  return endedAt !== undefined && endedAt < (before ?? Number.POSITIVE_INFINITY) && endedAt > (after ?? -1);
}

/** A letter with the time it is ordered by: its end, but never later than that of the letters after it in its list. */
export interface PlacedLetter {
  found: FoundLetter;
  at: number;
}

/** All stages' letters as one row, newest first; each list is read only as far as the reader goes. */
export async function* newestOfAll(
  deadLetters: DeadLetters,
  { stages = stageNames }: LetterFilter,
): AsyncGenerator<PlacedLetter> {
  const rows = await Promise.all(
    stages.map(async (stage) => {
      const letters = placed(deadLetters, stage);
      return { letters, head: await letters.next() };
    }),
  );
  for (;;) {
    let newest: (typeof rows)[number] | undefined;
    for (const row of rows) {
      if (row.head.done === true) continue;
      if (newest === undefined || row.head.value.at > (newest.head.value as PlacedLetter).at) newest = row;
    }
    if (newest === undefined) return;
    yield newest.head.value as PlacedLetter;
    newest.head = await newest.letters.next();
  }
}

async function* placed(
  deadLetters: DeadLetters,
  stage: StageName,
): AsyncGenerator<PlacedLetter, undefined, undefined> {
  let at = Number.POSITIVE_INFINITY;
  for await (const found of deadLetters.newestFirst(stage)) {
    at = Math.min(at, found.letter?.last_at ?? Number.POSITIVE_INFINITY);
    // What stands at a list's end and has no time is as new as anything.
    yield { found, at: Math.min(at, 8.64e15) };
  }
  return undefined;
}

/**
 * One page, from behind the letter that ended the page before (`createdAt` of a place is what it is ordered by). That letter may be gone meanwhile: the
 * page then begins with what is as old as it was.
 */
export async function pageOfLetters(
  deadLetters: DeadLetters,
  filter: LetterFilter,
  { behind, limit }: { behind: ListPlace | undefined; limit: number },
): Promise<{ letters: FoundLetter[]; next: string | null }> {
  const page: PlacedLetter[] = [];
  for await (const one of newestOfAll(deadLetters, filter)) {
    if (behind !== undefined && one.at > behind.createdAt) continue;
    const isAsOld = one.at === behind?.createdAt;
    // Those before it were shown with it.
    if (isAsOld && one.found.id === behind?.id) page.length = 0;
    else if (fits(one.found, filter)) page.push(one);
    if (page.length > limit && !isAsOld) break;
  }
  const shown = page.slice(0, limit);
  const last = shown.at(-1);
  const next =
    page.length > limit && last !== undefined ? cursorOf({ createdAt: last.at, id: last.found.id }) : null;
  return { letters: shown.map(({ found }) => found), next };
}
