/** Where no worker has said how many it has: one of the usual kind. */
export const usualSlots = 32;

/** For so long after its last document a tenant is one of those who share. */
export const tenantSeenMs = 60_000;

/**
 * How many jobs of one tenant may be on the list or in a worker's hands, of `slots` that all workers have together.
 *
 * Alone: half as many again, so that a slot that gets free finds the next id in the list (with 32 slots, 16 documents are
 * a quarter of a second of work, and a release takes milliseconds).
 *
 * Beside others: what they leave, but for an eighth that stays free, so that a newcomer, or the next document of somebody
 * who brings one at a time, is taken at once; and never less than an equal part. So the windows of those who want more
 * than their part come down to it as their jobs end, and nobody's slots stand idle because somebody else was there.
 *
 * @param others released jobs of each other tenant that shares, 0 for those who have none just now.
 */
export function uploadWindow(slots: number, others: readonly number[]): number {
  if (others.length === 0) return Math.ceil(1.5 * slots);
  const part = Math.max(1, Math.floor(slots / (others.length + 1)));
  const free = Math.max(1, Math.floor(slots / 8));
  const left = slots - free - others.reduce((sum, released) => sum + released, 0);
  return Math.max(part, left);
}
