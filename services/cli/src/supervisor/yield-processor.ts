import { existsSync, writeFileSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';

/** The kernel takes one such note in 100 ms from who is not root, and refuses the others with EAGAIN. */
const retries = { times: 20, everyMs: 120 };

/**
 * Gives a process less of a busy processor, by `niceness` (0 to 19) beside the supervisor's own. To be called as
 * soon as it is started: its threads take the niceness of the one that starts them.
 *
 * Linux has two places for it. Where sessions are scheduled as groups (`kernel.sched_autogroup_enabled`, the rule
 * outside of containers) a thread's niceness counts against its own session only, and every service is a session:
 * all of them then get the same share, whatever setpriority(2) said. Measured under one and a half times the
 * capacity of two cores: of 233 ms until the gateway refused a question it had waited 205 for a processor; with
 * the session's niceness set too, refusals took 11 to 20 ms at the 99th percentile in place of 260 to 390.
 * (sched(7), "The autogroup feature")
 */
export async function yieldProcessor(pid: number, niceness: number): Promise<void> {
  if (niceness === 0) return;
  try {
    setPriority(pid, Math.min(19, getPriority() + niceness));
  } catch {
    return; // It has ended already, which its exit tells.
  }
  const group = `/proc/${pid}/autogroup`;
  for (let left = retries.times; left > 0 && existsSync(group); left -= 1) {
    try {
      writeFileSync(group, String(niceness));
      return;
    } catch (error) {
      if (!isBusy(error)) return; // A kernel that lets nobody write it: the share stays what it is.
    }
    await delay(retries.everyMs, undefined, { ref: false });
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EAGAIN';
}
