import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';

/** The scripts of the cache Redis, each with its contract at its head. */
export type CacheScript = 'keep-explained' | 'read-explained';

export type CacheReply = Buffer | number | null | CacheReply[];
export type CacheArgument = string | number;

const loaded = Object.fromEntries(
  (['keep-explained', 'read-explained'] as const).map((name) => {
    const text = readFileSync(new URL(`../lua/${name}.lua`, import.meta.url), 'utf8');
    return [name, { text, sha: createHash('sha1').update(text).digest('hex') }];
  }),
) as Record<CacheScript, { text: string; sha: string }>;

export function cacheScriptText(name: CacheScript): string {
  return loaded[name].text;
}

/** By its hash, and by its text where Redis does not know it (a restart, `SCRIPT FLUSH`). */
export async function runCacheScript(
  redis: Redis,
  name: CacheScript,
  keys: readonly string[],
  args: readonly CacheArgument[],
): Promise<CacheReply> {
  const { text, sha } = loaded[name];
  try {
    return (await redis.callBuffer('EVALSHA', sha, keys.length, ...keys, ...args)) as CacheReply;
  } catch (error) {
    if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
    return (await redis.callBuffer('EVAL', text, keys.length, ...keys, ...args)) as CacheReply;
  }
}
