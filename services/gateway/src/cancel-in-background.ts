import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '@vortex/observability';
import type { Submitter } from '@vortex/queue';

const firstPauseMs = 250;
const longestPauseMs = 2000;

/**
 * A cancellation that nobody waits for: its client has left. A Redis that is away for a moment must not make
 * a generator finish what nobody reads, so it is tried again until it has arrived; from the deadline on the job
 * ends by itself. Never rejects.
 */
export async function cancelInBackground(
  submitter: Pick<Submitter, 'cancel'>,
  { id, deadlineAt }: { id: string; deadlineAt: number },
  log: Pick<Logger, 'warn'>,
  pause: (ms: number) => Promise<unknown> = (ms) => delay(ms, undefined, { ref: false }),
): Promise<void> {
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(longestPauseMs, 2 * pauseMs)) {
    try {
      await submitter.cancel(id);
      return;
    } catch (error) {
      if (pauseMs === firstPauseMs) log.warn({ err: error, job_id: id }, 'a cancellation is tried again');
    }
    if (Date.now() + pauseMs >= deadlineAt) return;
    await pause(pauseMs);
  }
}
