import { seededRandom } from '@vortex/routing';

/** What a mutation decides by. */
export class Chance {
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  /** The same case again needs none of those before it. */
  static ofCase(seed: number, number: number): Chance {
    return new Chance(Math.imul(seed, 0x9e3779b1) + Math.imul(number + 1, 0x85ebca6b));
  }

  is(share: number): boolean {
    return this.#random() < share;
  }

  /** From 0 on. */
  below(count: number): number {
    return Math.floor(this.#random() * count);
  }

  oneOf<T>(choice: readonly T[]): T {
    return choice[this.below(choice.length)] as T;
  }
}
