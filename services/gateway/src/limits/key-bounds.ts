import type { ServiceConfig } from '@vortex/config';
import type { KeyLimits } from '@vortex/contracts';
import type { StoredBounds } from '@vortex/registry';
import type { Caller } from '../access/caller.ts';

type Defaults = ServiceConfig<'gateway'>['limits'];

/**
 * What holds for a key: its own limits, and for each it has none of the configuration's. A burst belongs to the rate it
 * was given with. Null: it may do what it likes, and costs nobody a question.
 */
export function boundsOf(own: KeyLimits | null, defaults: Defaults): KeyLimits | null {
  const bounds: KeyLimits = {};
  for (const [name, value] of Object.entries(defaults) as [keyof KeyLimits, number][])
    if (value > 0) bounds[name] = value;
  if (own?.requests_per_minute !== undefined) delete bounds.burst;
  Object.assign(bounds, own);
  return Object.keys(bounds).length === 0 ? null : bounds;
}

export const noLimits: Defaults = {
  requests_per_minute: 0,
  burst: 0,
  tokens_per_minute: 0,
  tokens_per_day: 0,
  concurrent_queries: 0,
  documents: 0,
  bytes: 0,
};

/** What the registry counts; undefined: nothing of this caller's. */
export function storedBounds({ limits }: Pick<Caller, 'limits'>): StoredBounds | undefined {
  const { documents, bytes } = limits ?? {};
  return documents === undefined && bytes === undefined ? undefined : { documents, bytes };
}
