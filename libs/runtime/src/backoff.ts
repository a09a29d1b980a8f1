const baseMs = 200;
const capMs = 10_000;
/** A try that could not even start before the deadline is not worth scheduling. */
const worthwhileMs = 50;

/**
 * How long to wait before the next try: full jitter (anywhere between nothing and the exponential bound),
 * so that jobs that failed together do not come back together; never beyond the deadline. Null: too late.
 */
export function retryDelayMs(
  attempt: number,
  remainingMs: number,
  random: () => number = Math.random,
): number | null {
  if (remainingMs < worthwhileMs) return null;
  const bound = Math.min(capMs, baseMs * 2 ** (attempt - 1), remainingMs - worthwhileMs);
  return Math.round(random() * bound);
}
