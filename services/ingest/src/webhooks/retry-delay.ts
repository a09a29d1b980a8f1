const [second, minute, hour] = [1000, 60_000, 3_600_000];

/** After the first, second … attempt; the last step repeats. Twelve attempts take one to two days. */
const steps = [5 * second, minute, 5 * minute, 30 * minute, 2 * hour, 8 * hour];
const longestAskedMs = 24 * hour;

/**
 * Milliseconds until the next attempt after `attempt` failed ones: any time up to the step ("full jitter", so that
 * what failed together does not come back together), and not before the receiver's Retry-After, up to a day.
 */
export function retryDelayMs(attempt: number, retryAfterMs: number | null, random = Math.random): number {
  const step = steps[Math.min(attempt, steps.length) - 1] ?? 5 * second;
  const asked = Math.min(Math.max(0, retryAfterMs ?? 0), longestAskedMs);
  return Math.round(Math.max(second, random() * step, asked));
}

/** The header in milliseconds from `now` (epoch ms): seconds, or a date; null when it is neither. */
export function readRetryAfter(value: string | undefined, now: number): number | null {
  if (value === undefined) return null;
  if (/^\s*\d{1,9}\s*$/.test(value)) return Number(value) * second;
  const at = Date.parse(value);
  return Number.isNaN(at) ? null : Math.max(0, at - now);
}
