/** As long as a pool may be without a beat before queries are refused. A server that is started anew is there by then. */
const waitedForMs = 10_000;
const pauseMs = 500;

/**
 * How long a job waits for a model server that refuses connections.
 *
 *   there ──refused──► away, waited for ──10 s──► away: jobs fail as any other
 *     ▲                       │                          │
 *     └──── a word of the server, or 10 s without a refusal
 *
 * Three tries with their pauses are over within 600 ms, and a restart takes one to four seconds: under random kills of
 * the model server questions were answered 502 that an answer was two seconds away from.
 */
export function createAbsence(random: () => number = Math.random) {
  let since: number | null = null;
  let refusedAt = 0;
  return {
    /** A connection was refused: ask again after this; null when it has been away for too long. */
    waitMs(now: number): number | null {
      // An old one says nothing of the server as it is now: nobody has asked since.
      if (since === null || now - refusedAt > waitedForMs) since = now;
      refusedAt = now;
      return now - since < waitedForMs ? Math.round(pauseMs * (0.5 + random())) : null;
    },
    /** It has said something, if only an error. */
    over(): void {
      since = null;
    },
  };
}
