import { z } from 'zod';
import { jsonOf } from '../json-of.ts';
import type { Arrival } from './arrivals.ts';

const line = z.union([
  z
    .number()
    .min(0)
    .transform((offset) => ({ offset_ms: offset })),
  z.object({ offset_ms: z.number().min(0), query: z.string().min(1).optional() }),
]);

/**
 * A recorded traffic: JSON lines `{"offset_ms": 1250, "query": "…"}`, or bare numbers; in any order.
 * @throws Error with the line that cannot be read
 */
export function readReplay(text: string): Arrival[] {
  const found: Arrival[] = [];
  for (const [index, raw] of text.split('\n').entries()) {
    if (raw.trim() === '') continue;
    const parsed = line.safeParse(jsonOf(raw));
    if (!parsed.success) throw new Error(`line ${index + 1} is neither {"offset_ms": …} nor a number`);
    const { offset_ms: atMs, ...rest } = parsed.data;
    const query = 'query' in rest ? rest.query : undefined;
    found.push({ atMs, step: null, ...(query !== undefined && { query }) });
  }
  return found.sort((a, b) => a.atMs - b.atMs);
}
