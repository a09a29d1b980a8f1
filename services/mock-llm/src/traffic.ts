/** What `GET /mock/requests` tells: enough to see from outside that an abandoned generation was let go. */
export interface TrafficCounts {
  total: number;
  active: number;
  /** The client left before the answer was complete. */
  aborted: number;
}

/** Counts a request out; only the first call counts. */
export type EndExchange = (outcome: 'answered' | 'aborted') => void;

/** Counts a request in, and gives the way to count it out. */
export function beginExchange(counts: TrafficCounts): EndExchange {
  counts.total += 1;
  counts.active += 1;
  let ended = false;
  return (outcome) => {
    if (ended) return;
    ended = true;
    counts.active -= 1;
    if (outcome === 'aborted') counts.aborted += 1;
  };
}
