import type { LimitState } from '@vortex/queue';
import { expect, it } from 'vitest';
import { rateLimitHeaders } from './rate-limit-headers.ts';

const requests: LimitState = { limit: 'requests', quota: 60, windowMs: 60_000, remaining: 12, resetMs: 2100 };
const ofDay: LimitState = {
  ...{ limit: 'day_tokens', quota: 1000, windowMs: 86_400_000, remaining: 0, resetMs: 40_000_001 },
};
const places: LimitState = { limit: 'concurrent', quota: 4, remaining: 3, resetMs: 0 };

/** Structured fields (RFC 9651): a list of strings, each with parameters that are integers or strings. */
const list = /^"[a-z-]+"(?:;[a-z]+=(?:\d+|"[a-z-]+"))+(?:, "[a-z-]+"(?:;[a-z]+=(?:\d+|"[a-z-]+"))+)*$/;

it.each([
  [[], undefined, undefined],
  [[requests], '"requests";q=60;w=60', '"requests";r=12;t=3'],
  [[ofDay], '"tokens-day";q=1000;qu="tokens";w=86400', '"tokens-day";r=0;t=40001'],
  [[places], '"concurrent-queries";q=4;qu="concurrent-requests"', '"concurrent-queries";r=3'],
  [
    [requests, places],
    '"requests";q=60;w=60, "concurrent-queries";q=4;qu="concurrent-requests"',
    '"requests";r=12;t=3, "concurrent-queries";r=3',
  ],
] as const)('%j', (states, policy, state) => {
  const headers = rateLimitHeaders(states);
  expect(headers['RateLimit-Policy']).toBe(policy);
  expect(headers.RateLimit).toBe(state);
  for (const value of Object.values(headers)) expect(value).toMatch(list);
});
