import { z } from '@hono/zod-openapi';
import type { ListPlace } from '@vortex/registry';

/** `<epoch ms>.<id>` of a page's last entry; the id may be any printable ASCII. */
const cursorForm = /^(\d{1,16})\.([\x20-\x7e]{1,200})$/;

export function cursorOf({ createdAt, id }: ListPlace): string {
  return `${createdAt}.${id}`;
}

/**
 * The query parameters of every list that comes in pages, newest first. `after` takes what `next` of the page before was
 * and nothing else: an empty page would pass for the list's end.
 */
export const pageParameters = {
  after: z
    .string()
    .regex(cursorForm, 'must be the `next` of the page before')
    .transform((text): ListPlace => {
      const [, createdAt, id = ''] = cursorForm.exec(text) ?? [];
      return { createdAt: Number(createdAt), id };
    })
    .optional()
    .openapi({ type: 'string', description: '`next` of the page before.' }),
  limit: z.coerce.number().int().min(1).max(1000).default(50),
};

export interface PageAsked {
  after?: ListPlace | undefined;
  limit: number;
}

/** What to ask the registry for: one entry more than is shown tells whether there is a next page. */
export function placeOf({ after, limit }: PageAsked): { after?: ListPlace; limit: number } {
  return { limit: limit + 1, ...(after !== undefined && { after }) };
}

/** The entries to show of those found for `placeOf`, and the cursor of what comes behind them; null: nothing does. */
export function pageOf<Entry extends { createdAt: number }>(
  found: readonly Entry[],
  { limit }: PageAsked,
  idOf: (entry: Entry) => string,
): { entries: Entry[]; next: string | null } {
  const entries = found.slice(0, limit);
  const last = entries.at(-1);
  const isEnd = found.length <= limit || last === undefined;
  return { entries, next: isEnd ? null : cursorOf({ createdAt: last.createdAt, id: idOf(last) }) };
}
