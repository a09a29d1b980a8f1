import type { Priority } from './embedder.ts';

/** Picks of the interactive lane in a row while something low waits; the next pick is the low lane's. */
const interactivePicksInARow = 3;

/**
 * What waits for inference, one entry per text. Interactive first, low never starved: while both lanes
 * wait, every fourth pick is a low one. Entries given back after a crash go first in their lane.
 *
 * Sets keep insertion order and delete in constant time, so an aborted text leaves from the middle.
 */
export class LaneQueue<Entry extends { priority: Priority }> {
  readonly #lanes: Record<Priority, { again: Set<Entry>; first: Set<Entry> }> = {
    interactive: { again: new Set(), first: new Set() },
    low: { again: new Set(), first: new Set() },
  };
  #interactivePicks = 0;

  push(entry: Entry): void {
    this.#lanes[entry.priority].first.add(entry);
  }

  giveBack(entry: Entry): void {
    this.#lanes[entry.priority].again.add(entry);
  }

  /** @returns whether it was still waiting. */
  remove(entry: Entry): boolean {
    const lane = this.#lanes[entry.priority];
    return lane.again.delete(entry) || lane.first.delete(entry);
  }

  waiting(priority: Priority): number {
    const lane = this.#lanes[priority];
    return lane.again.size + lane.first.size;
  }

  /**
   * The next entry. With `only: 'interactive'` nothing is returned when it is the low lane's turn: the
   * caller then leaves that pick to a thread that is idle.
   */
  take(only?: 'interactive'): Entry | undefined {
    const lowWaits = this.waiting('low') > 0;
    const lowHasTurn =
      lowWaits && (this.waiting('interactive') === 0 || this.#interactivePicks >= interactivePicksInARow);
    if (lowHasTurn) {
      if (only === 'interactive') return undefined;
      this.#interactivePicks = 0;
      return this.#shift('low');
    }
    const entry = this.#shift('interactive');
    this.#interactivePicks = lowWaits && entry !== undefined ? this.#interactivePicks + 1 : 0;
    return entry;
  }

  /** Empties both lanes. */
  drain(): Entry[] {
    const all: Entry[] = [];
    for (const lane of [this.#lanes.interactive, this.#lanes.low]) {
      all.push(...lane.again, ...lane.first);
      lane.again.clear();
      lane.first.clear();
    }
    return all;
  }

  #shift(priority: Priority): Entry | undefined {
    const lane = this.#lanes[priority];
    for (const set of [lane.again, lane.first]) {
      for (const entry of set) {
        set.delete(entry);
        return entry;
      }
    }
    return undefined;
  }
}
