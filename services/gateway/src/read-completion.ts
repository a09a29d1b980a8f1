import type { Completion, TimingsMs } from '@vortex/contracts';
import { parseObject } from '@vortex/queue';

/** What a finished job answers with: each a stage's result (contracts, pipeline.ts). */
export type ResultKind = 'answer' | 'hits' | 'chunks' | 'audit';

/** What of each is read here, or counted by a client: fields that are lists of objects, and that are texts. */
const fieldsOf = {
  answer: { lists: ['citations', 'sources'], words: ['degraded'], texts: ['answer', 'collection'] },
  hits: { lists: ['hits'], words: ['degraded'], texts: ['collection', 'mode'] },
  chunks: { lists: ['chunks'], words: [], texts: [] },
  audit: { lists: ['collections', 'problems'], words: [], texts: [] },
} as const satisfies Record<ResultKind, Record<'lists' | 'words' | 'texts', readonly string[]>>;

/**
 * A completion from Redis, where anyone may have written it; null when it is none. A worker of ours wrote it through its
 * own schema, and parsing the whole answer by it again would be the dearest step of the gateway: what is checked is
 * what would otherwise be an error of another kind later on.
 */
export function readCompletion<Result extends object>(
  text: string,
  kind: ResultKind,
): Completion<Result> | null {
  const fields = parseObject(text);
  if (fields === null) return null;
  const timings_ms = timingsFrom(fields.timings_ms);
  if (fields.status !== 'completed') {
    const error = fields.error as Record<string, unknown> | null | undefined;
    if (typeof error?.code !== 'string' || typeof error.message !== 'string') return null;
    const failed = {
      ...error,
      stage: typeof error.stage === 'string' ? error.stage : null,
      retryable: error.retryable === true,
    };
    return { ...fields, timings_ms, error: failed } as unknown as Completion<Result>;
  }
  const { lists, words, texts } = fieldsOf[kind];
  const isWhole =
    typeof fields.id === 'string' &&
    texts.every((name) => typeof fields[name] === 'string') &&
    words.every((name) => isListOf(fields[name], isWord)) &&
    lists.every((name) => isListOf(fields[name], isObject)) &&
    (kind !== 'answer' || isObject(fields.usage));
  return isWhole ? ({ ...fields, timings_ms } as unknown as Completion<Result>) : null;
}

/** A year: what is longer, or less than nothing, was no duration. */
const longestMs = 366 * 86_400_000;

/** Names become part of the header `Server-Timing`, and sums of JSON: of what is neither a name nor a duration nothing is told. */
function timingsFrom(value: unknown): TimingsMs {
  if (!isObject(value)) return {};
  const isTiming = (entry: [string, unknown]): entry is [string, number] => {
    const [name, ms] = entry;
    return /^\w{1,64}$/.test(name) && typeof ms === 'number' && ms >= 0 && ms <= longestMs;
  };
  return Object.fromEntries(Object.entries(value).filter(isTiming));
}

function isListOf(value: unknown, is: (entry: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(is);
}
function isWord(value: unknown): boolean {
  return typeof value === 'string';
}
function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
