/** Redis is away, too slow, or full: nothing was admitted for certain. The caller answers 503. */
export class QueueUnavailable extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'QueueUnavailable';
  }
}

/** As many jobs as the cap allows are in the chain. The caller answers 503 `queue_full` with Retry-After. */
export class QueueFull extends Error {
  readonly retryAfterMs: number;

  constructor(retryAfterMs: number) {
    super(`the chain is full; try again in ${retryAfterMs} ms`);
    this.name = 'QueueFull';
    this.retryAfterMs = retryAfterMs;
  }
}

/**
 * Redis answered, and refused (a reply error): sending the same again would be refused again. Anything
 * else that goes wrong with a command is the connection, and passes.
 */
export function isRefusal(error: unknown): error is Error {
  return (
    error instanceof Error &&
    error.name === 'ReplyError' &&
    !/^(LOADING|READONLY|MASTERDOWN|BUSY|TRYAGAIN|CLUSTERDOWN|NOREPLICAS|UNBLOCKED)/.test(error.message)
  );
}

/** A full Redis refuses this command, because it might need room. */
export function isOutOfMemory(error: unknown): boolean {
  return isRefusal(error) && error.message.startsWith('OOM');
}
