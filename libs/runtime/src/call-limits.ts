/** When a call of the language model is late, by the figures of the other replicas. */
export interface CallLimits {
  /** Without a token by then the replica is to blame; null: nobody knows what is usual. */
  firstTokenMs: number | null;
  /** Milliseconds a token may take on average; null: nobody knows. */
  perTokenMs: number | null;
  /** The pace is looked at only after so long: a few tokens say little. */
  paceAfterMs: number;
  /**
   * Without a token by then the call is given up, to be tried on another replica; null: it goes on to its
   * deadline, because there is no other replica, or this was the last try.
   */
  giveUpMs: number | null;
}

export interface PoolPace {
  /** Replicas that would take work, beside this one. */
  others: number;
  /** The slowest healthy other's time to the first token (mean and twice its deviation), and its time per token. */
  first_token_ms?: number | undefined;
  token_ms?: number | undefined;
}

/** Three times what the pool needs: a long prompt is not a grey failure. */
const lateFactor = 3;
/** A reply that is cut every 100 ms still reads fluently; slower than that, and five times slower than others, is ill. */
const leastTokenMs = 100;
const slowFactor = 5;

/**
 * A call that hangs must be given up early enough to be answered elsewhere: at half of what is left when the
 * deadline is near, but not before one and a half times what others need. That is the caller's deadline, so it
 * blames nobody; only `firstTokenMs` does.
 */
export function callLimits(
  pool: PoolPace,
  { remainingMs, isLastTry, leastMs }: { remainingMs: number; isLastTry: boolean; leastMs: number },
): CallLimits {
  const { others, first_token_ms: usualMs, token_ms: tokenMs } = pool;
  const firstTokenMs = others === 0 || usualMs === undefined ? null : Math.max(leastMs, lateFactor * usualMs);
  const perTokenMs =
    others === 0 || tokenMs === undefined ? null : Math.max(leastTokenMs, slowFactor * tokenMs);
  const giveUpMs =
    firstTokenMs === null || usualMs === undefined || isLastTry
      ? null
      : Math.min(firstTokenMs, Math.max(remainingMs / 2, 1.5 * usualMs));
  return { firstTokenMs, perTokenMs, paceAfterMs: leastMs, giveUpMs };
}
