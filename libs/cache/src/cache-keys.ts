import { createHash } from 'node:crypto';

/**
 * Every key of the cache Redis is built here. All begin with a version of what the values look like: two versions of
 * the code that share a cache never read each other's.
 *
 * | key | value |
 * | --- | --- |
 * | `vortex:1:answer:<digest>` | an answer, under the request it answers |
 * | `vortex:1:retrieval:<digest>` | ranked chunks, under tenant, collection version, vector, mode, filter and limit |
 * | `vortex:1:embedding:<digest>` | a vector, under tenant, model fingerprint and text |
 * | `vortex:1:settings:<role>` | fingerprint of the settings that the workers of a role answer by |
 * | `vortex:1:stories` | HASH: `<part> <id> <tenant>`: a part of a past query's story; `bytes`: what they take |
 * | `vortex:1:stories:order` | ZSET: `<id> <tenant>` by the time of its first part |
 */
export type CacheName = 'answer' | 'retrieval' | 'embedding';

const prefix = 'vortex:1';

export const cacheKeys = {
  entry: (cache: CacheName, digest: string) => `${prefix}:${cache}:${digest}`,
  settings: (role: string) => `${prefix}:settings:${role}`,
  stories: `${prefix}:stories`,
  storyOrder: `${prefix}:stories:order`,
} as const;

/** Of any number of parts, none of which can be taken for another: their lengths are part of what is digested. */
export function keyDigest(...parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${Buffer.byteLength(part)}:`).update(part);
  return hash.digest('base64url');
}

/** The same text for what differs only in white space and in how accents are composed. */
export function normalizedText(text: string): string {
  return text.normalize('NFC').replaceAll(/\s+/gu, ' ').trim();
}

/** JSON whose keys are in order: two filters that say the same have one text. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part !== 'object' || part === null || Array.isArray(part)) return part;
    return Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
