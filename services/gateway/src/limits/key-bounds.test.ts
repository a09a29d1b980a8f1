import { expect, it } from 'vitest';
import { boundsOf, noLimits, storedBounds } from './key-bounds.ts';

it('has the key’s own before the configuration’s, and null where neither says anything', () => {
  expect(boundsOf(null, noLimits)).toBeNull();
  expect(boundsOf({ documents: 5 }, noLimits)).toEqual({ documents: 5 });
  const defaults = { ...noLimits, requests_per_minute: 60, burst: 5, tokens_per_day: 1000 };
  expect(boundsOf(null, defaults)).toEqual({ requests_per_minute: 60, burst: 5, tokens_per_day: 1000 });
  expect(boundsOf({ tokens_per_day: 7 }, defaults)).toMatchObject({ burst: 5, tokens_per_day: 7 });
  // A burst belongs to its rate.
  expect(boundsOf({ requests_per_minute: 600 }, defaults)).toEqual({
    requests_per_minute: 600,
    tokens_per_day: 1000,
  });
});

it('asks the registry only where something stored is bounded', () => {
  expect(storedBounds({ limits: null })).toBeUndefined();
  expect(storedBounds({ limits: { requests_per_minute: 1 } })).toBeUndefined();
  expect(storedBounds({ limits: { bytes: 9 } })).toEqual({ documents: undefined, bytes: 9 });
});
