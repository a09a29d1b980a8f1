import type { TimingsMs } from './envelope.ts';

/**
 * Where a question's time went, in the order it was spent: durations that add up to the gateway's `total`, each
 * measured by one clock, so that they may be summed across hosts. A part that did not run is absent.
 *
 * | name | from … to | by |
 * | --- | --- | --- |
 * | `receive` | arrival of the head … body read, parsed and checked | gateway |
 * | `cache_lookup` | … the answer cache has answered (`cache: default` only) | gateway |
 * | `admit` | … the job is ready for the queue: collection looked up, replicas chosen | gateway |
 * | `turn` | … its tenant's turn to enter the chain (only where tenants share it, and this one is beyond its part) | gateway |
 * | `shared` | … an identical question's answer is there (instead of all that follows) | gateway |
 * | `queue_<stage>` | put on the stage's list … claimed | the clock of Redis, which every worker follows |
 * | `retry_<stage>` | put on the list … due again: tries that failed, their waits before and after | the same |
 * | `<stage>` | claimed … the handler's run that counted has ended | worker |
 * | `inference` | an inference thread took the text … its vector; a part of `encode`, whose rest was the wait for a thread | worker |
 * | `first_token` | the beginning of `generate` … the first token; a part of `generate` | worker |
 * | `deliver` | what is left: completion written, inbox read, wake-up | gateway |
 * | `reply` | completion here … answer ready to be written; in a stream, its last events told | gateway |
 * | `total` | arrival … answer ready: all of the above | gateway |
 *
 * What no name covers is on the client's side of the gateway: its connection, the write of the answer and the read of it.
 * `queue_encode` begins at the gateway's clock: where that is another host's than Redis', it is as exact as the two agree.
 * A job that came back from a dead worker has the lost run in its `queue_<stage>`.
 */
export const containedTimings: ReadonlySet<string> = new Set(['inference', 'first_token', 'total']);

/** All of a question's named durations: what they leave of a client's time is unexplained. */
export function sumOfTimings(timings: TimingsMs): number {
  let sum = 0;
  for (const [name, ms] of Object.entries(timings)) if (!containedTimings.has(name)) sum += ms;
  return sum;
}
