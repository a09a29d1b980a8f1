import { medianOf } from './median.ts';

/**
 * How long a stage's runs take, as this process has seen it lately: the median of the last fifty that came
 * to an end of their own. A job whose remaining time is below it would more likely than not be cut off by
 * its deadline, after having taken a slot from one that can still make it.
 *
 * It says nothing (null) before ten runs, and nothing when the newest run is old: were every job dropped,
 * no run would ever tell that the stage has become fast again. So after a silence jobs are run as if
 * nothing were known, and what they take is known from then on.
 */
export interface RunTimes {
  note(ms: number, now: number): void;
  medianMs(now: number): number | null;
}

const kept = 50;
const fewest = 10;
/** The median may be this old, or three times itself: a stage of 40 s has ended nothing in the last half minute. */
const freshMs = 30_000;
/** Sorting fifty numbers at every claim would be seen in the chain bench. */
const staleNotes = 8;

export function createRunTimes(): RunTimes {
  const times: number[] = [];
  let next = 0;
  let newestAt = Number.NEGATIVE_INFINITY;
  let median = 0;
  let notesSince = Number.POSITIVE_INFINITY;
  return {
    note(ms, now) {
      times[next] = ms;
      next = (next + 1) % kept;
      newestAt = now;
      notesSince += 1;
    },
    medianMs(now) {
      if (times.length < fewest) return null;
      if (notesSince >= staleNotes) {
        // Of two middle values the lower: what is unsure counts for the job.
        median = medianOf(times);
        notesSince = 0;
      }
      return now - newestAt <= Math.max(freshMs, 3 * median) ? median : null;
    },
  };
}
