import { cacheKeys } from './cache-keys.ts';
import { type CacheScript, cacheScriptText } from './cache-scripts.ts';

/** What a service may do in the cache Redis; the form is that of the queue's (libs/queue/src/access.ts). */
export interface CacheAccess {
  commands: readonly string[];
  keys: readonly string[];
  channels: readonly string[];
}

/** `ingest` caches nothing. `vortex` is one user for all services, as in the queue's Redis. */
export type CacheRole = 'gateway' | 'encoder' | 'retriever' | 'generator' | 'vortex';

/** Look-ups and entries are plain MGET and SET, so reading and writing can be told apart. */
const keysOf: Record<Exclude<CacheRole, 'vortex'>, readonly string[]> = {
  gateway: [`~${cacheKeys.entry('answer', '*')}`, `%R~${cacheKeys.settings('*')}`],
  encoder: [`~${cacheKeys.entry('embedding', '*')}`],
  retriever: [`~${cacheKeys.entry('retrieval', '*')}`, `%W~${cacheKeys.settings('retrieve')}`],
  generator: [`%W~${cacheKeys.settings('generate')}`],
};

/** Stories are written by all, and read by the gateway: Redis takes a script's keys for both. */
const storyKeys = [`~${cacheKeys.stories}`, `~${cacheKeys.storyOrder}`];
const scriptsOf = (role: string): CacheScript[] =>
  role === 'gateway' ? ['keep-explained', 'read-explained'] : ['keep-explained'];

export function cacheAccess(): Record<CacheRole, CacheAccess> {
  const roles = Object.entries(keysOf).map(([role, keys]) => [role, accessOf(keys, scriptsOf(role))]);
  return {
    ...(Object.fromEntries(roles) as Record<Exclude<CacheRole, 'vortex'>, CacheAccess>),
    vortex: accessOf([...new Set(Object.values(keysOf).flat())], scriptsOf('gateway')),
  };
}

function accessOf(keys: readonly string[], scripts: readonly CacheScript[]): CacheAccess {
  const sent = scripts.flatMap((script) => [...cacheScriptText(script).matchAll(/redis\.call\('([A-Z]+)'/g)]);
  const commands = [
    ...['ping', 'info', 'select', 'client|setname', 'dbsize', 'mget', 'set', 'eval', 'evalsha'],
    ...sent.map(([, command = '']) => command.toLowerCase()),
  ];
  return { commands: [...new Set(commands)].sort(), keys: [...keys, ...storyKeys], channels: [] };
}
