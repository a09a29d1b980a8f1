import type { Priority } from './embedder.ts';

/** Picks of the interactive lane in a row while something low waits; the next pick is the low lane's. */
const interactivePicksInARow = 3;

/** A newcomer's texts in a row; a group of a short document. */
const firstTextsInARow = 4;

/**
 * What waits for inference, one entry per text. Interactive first, low never starved: while both lanes
 * wait, every fourth pick is a low one. Within a lane tenants take turns, a text each: beside eight groups of one
 * tenant's chunks another's do not wait for a hundred. Whoever comes while others wait has its first few texts in a row, so
 * that a short document is through in as many rounds as it would take alone; after such a favour somebody's turn comes
 * before the next. Entries given back after a crash go first.
 *
 * Sets keep insertion order and delete in constant time, so an aborted text leaves from the middle; so do maps, and
 * whose turn it was is inserted again, at the end.
 */
export class LaneQueue<Entry extends { priority: Priority; tenant: string }> {
  readonly #lanes: Record<Priority, Lane<Entry>> = {
    interactive: { again: new Set(), first: new Map(), favour: null },
    low: { again: new Set(), first: new Map(), favour: null },
  };
  #interactivePicks = 0;

  push(entry: Entry): void {
    const lane = this.#lanes[entry.priority];
    const line = lane.first.get(entry.tenant);
    if (line !== undefined) {
      line.add(entry);
      return;
    }
    if (lane.first.size > 0) lane.favour ??= { tenant: entry.tenant, texts: firstTextsInARow };
    lane.first.set(entry.tenant, new Set([entry]));
  }

  giveBack(entry: Entry): void {
    this.#lanes[entry.priority].again.add(entry);
  }

  /** @returns whether it was still waiting. */
  remove(entry: Entry): boolean {
    const lane = this.#lanes[entry.priority];
    return lane.again.delete(entry) || leaveLine(lane, entry);
  }

  waiting(priority: Priority): number {
    const lane = this.#lanes[priority];
    let waiting = lane.again.size;
    for (const line of lane.first.values()) waiting += line.size;
    return waiting;
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
      all.push(...lane.again, ...[...lane.first.values()].flatMap((line) => [...line]));
      lane.again.clear();
      lane.first.clear();
    }
    return all;
  }

  #shift(priority: Priority): Entry | undefined {
    const lane = this.#lanes[priority];
    for (const entry of lane.again) {
      lane.again.delete(entry);
      return entry;
    }
    const { favour } = lane;
    const favoured = favour === null || favour.texts === 0 ? undefined : lane.first.get(favour.tenant);
    for (const entry of favoured ?? []) {
      if (favour !== null) favour.texts -= 1;
      leaveLine(lane, entry);
      return entry;
    }
    lane.favour = null;
    for (const [tenant, line] of lane.first) {
      for (const entry of line) {
        leaveLine(lane, entry);
        if (line.size > 0) {
          lane.first.delete(tenant);
          lane.first.set(tenant, line);
        }
        return entry;
      }
    }
    return undefined;
  }
}

interface Lane<Entry> {
  again: Set<Entry>;
  /** By tenant; none is empty. */
  first: Map<string, Set<Entry>>;
  /** Who came while others waited, and how many of its texts go before theirs still. */
  favour: { tenant: string; texts: number } | null;
}

function leaveLine<Entry extends { tenant: string }>({ first }: Lane<Entry>, entry: Entry): boolean {
  const line = first.get(entry.tenant);
  if (line?.delete(entry) !== true) return false;
  if (line.size === 0) first.delete(entry.tenant);
  return true;
}
