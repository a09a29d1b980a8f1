export interface ScoredId {
  id: string;
  score: number;
}

/** The `limit` best of what it is offered, best first; equal ones in order of their ids. */
export class BestRows {
  readonly rows: ScoredId[] = [];
  readonly #limit: number;
  /** What a score must not be below. Most rows fail this one comparison; only the others are looked at closer. */
  bar = -Infinity;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** By bisection: a limit may be 1,000. */
  offer(candidate: ScoredId): void {
    let [low, high] = [0, this.rows.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const other = this.rows[middle];
      if (other !== undefined && isBetter(other, candidate)) low = middle + 1;
      else high = middle;
    }
    this.rows.splice(low, 0, candidate);
    if (this.rows.length > this.#limit) this.rows.pop();
    if (this.rows.length === this.#limit) this.bar = this.rows[this.#limit - 1]?.score ?? this.bar;
  }
}

export function isBetter(one: ScoredId, other: ScoredId): boolean {
  return one.score > other.score || (one.score === other.score && one.id < other.id);
}
