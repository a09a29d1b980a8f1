import type { LimitName, LimitState } from '@vortex/queue';

/** Names of the policies in `RateLimit` and `RateLimit-Policy`, and what they count where it is not requests. */
const policies: Record<LimitName, { name: string; unit?: string }> = {
  requests: { name: 'requests' },
  minute_tokens: { name: 'tokens-minute', unit: 'tokens' },
  day_tokens: { name: 'tokens-day', unit: 'tokens' },
  concurrent: { name: 'concurrent-queries', unit: 'concurrent-requests' },
};

/**
 * `RateLimit-Policy` and `RateLimit` as draft-ietf-httpapi-ratelimit-headers (10 and 11) has them: lists of structured
 * strings, a policy with quota `q`, unit `qu` and window `w` in seconds, its state with what remains, `r`, and `t` seconds
 * until there is more. Of a bucket that is `burst` deep and fills at `rate`, the window is what it takes to fill.
 */
export function rateLimitHeaders(states: readonly LimitState[]): Record<string, string> {
  if (states.length === 0) return {};
  const told = states.map(({ limit, quota, windowMs, remaining, resetMs }) => {
    const { name, unit } = policies[limit];
    const ofUnit = unit === undefined ? '' : `;qu="${unit}"`;
    const window = windowMs === undefined ? '' : `;w=${seconds(windowMs)}`;
    const reset = windowMs === undefined ? '' : `;t=${Math.ceil(resetMs / 1000)}`;
    return {
      policy: `"${name}";q=${quota}${ofUnit}${window}`,
      state: `"${name}";r=${remaining}${reset}`,
    };
  });
  return {
    'RateLimit-Policy': told.map(({ policy }) => policy).join(', '),
    RateLimit: told.map(({ state }) => state).join(', '),
  };
}

function seconds(ms: number): number {
  return Math.max(1, Math.round(ms / 1000));
}
