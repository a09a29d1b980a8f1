import type { QueueLog } from './connect.ts';
import { isRefusal } from './errors.ts';

/**
 * The steps of a caretaker's round, each by itself: what Redis refuses (a list of a wrong type, a forbidden command)
 * must not keep the rest from being done. One such list, and a worker that died with a job for it, had stopped all
 * reaping, sweeping and expiring. Anything else that goes wrong is the connection, and ends the round.
 */
export interface Refusals {
  /** Undefined: it was refused. `step` and `of` say what was tried. */
  past<Answer>(step: string, of: string, work: () => Promise<Answer>): Promise<Answer | undefined>;
  /** Throws the first refusal since the last call. */
  throwFirst(): void;
}

/** Names kept; beyond them everything is told again. */
const maxKnown = 1000;

export function createRefusals(log?: QueueLog): Refusals {
  // A lasting obstacle is met once a second: told when it is met first, and again when it comes back.
  const known = new Set<string>();
  let first: Error | undefined;

  return {
    async past(step, of, work) {
      const name = `${step} ${of}`;
      try {
        const answer = await work();
        known.delete(name);
        return answer;
      } catch (error) {
        if (!isRefusal(error)) throw error;
        first ??= error;
        if (known.has(name)) return undefined;
        if (known.size >= maxKnown) known.clear();
        known.add(name);
        log?.error(
          { step, of, error: error.message },
          'Redis refuses this; the caretaker goes on without it',
        );
        return undefined;
      }
    },
    throwFirst() {
      const error = first;
      first = undefined;
      if (error !== undefined) throw error;
    },
  };
}
