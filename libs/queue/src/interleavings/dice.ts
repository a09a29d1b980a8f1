import { seededRandom } from '@vortex/routing';

/** Chooses the steps of a game; the same seed is the same game. */
export class Dice {
  readonly roll: () => number;

  constructor(seed: number) {
    this.roll = seededRandom(seed);
  }

  chance(probability: number): boolean {
    return this.roll() < probability;
  }

  whole(below: number): number {
    return Math.floor(this.roll() * below);
  }

  pick<Item>(items: readonly [Item, ...Item[]] | readonly Item[]): Item | undefined {
    return items[this.whole(items.length)];
  }

  shuffled<Item>(items: readonly Item[]): Item[] {
    return items
      .map((item) => ({ item, place: this.roll() }))
      .sort((left, right) => left.place - right.place)
      .map(({ item }) => item);
  }
}
