/** mulberry32: small, seeded, good enough to choose steps. */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  roll(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    const state = this.#state;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
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
