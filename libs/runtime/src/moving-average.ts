/** Weight of a new value; about the last ten count. */
const weight = 0.2;
/** The first calls open connections and load models. */
const enough = 3;

/** Mean and mean deviation of a stream of values, the newest weighing most. */
export class MovingAverage {
  #mean = 0;
  #deviation = 0;
  #count = 0;

  add(value: number): void {
    this.#count += 1;
    if (this.#count === 1) {
      this.#mean = value;
      return;
    }
    this.#deviation += weight * (Math.abs(value - this.#mean) - this.#deviation);
    this.#mean += weight * (value - this.#mean);
  }

  /** Mean and twice the deviation: what nearly all values are below. Undefined while too few were seen. */
  usual(): number | undefined {
    return this.#count < enough ? undefined : Math.round(10 * (this.#mean + 2 * this.#deviation)) / 10;
  }
}
