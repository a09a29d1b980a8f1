/**
 * How many questions a second the chain answers when it has as much as it can work on, as one gateway sees it.
 *
 * Only saturated time counts: time with at least `slots` questions under way. A chain that idles answers few because
 * it is asked few, and a rate measured then would refuse the first burst (one question at a time of 0.4 s is 2.5/s,
 * on twelve slots that do 30). Older times fade, by half in the longer of two seconds and twice a generation.
 *
 * Before anything was measured, and as a counterweight to the first moments of a burst, in which nothing can have
 * ended yet, stands what slots and generation time promise: one round of `slots` answers. Where neither is known the
 * rate is unknown, which is not zero.
 */
export class ServiceRate {
  #saturatedMs = 0;
  #ends = 0;
  #generationMs: number | undefined;
  #at: number | undefined;
  #wasSaturated = false;

  /** Time has passed; `underWay` and `slots` are what holds from now on. */
  advance(now: number, underWay: number, slots: number): void {
    if (this.#at !== undefined && this.#wasSaturated) {
      const passedMs = Math.max(0, now - this.#at);
      const fade = 0.5 ** (passedMs / Math.max(2000, 2 * (this.#generationMs ?? 0)));
      this.#saturatedMs = this.#saturatedMs * fade + passedMs;
      this.#ends *= fade;
    }
    this.#at = now;
    this.#wasSaturated = slots > 0 && underWay >= slots;
  }

  /** A question was answered; `generationMs` is absent where no model was asked. */
  answered(generationMs: number | undefined): void {
    if (this.#wasSaturated) this.#ends += 1;
    if (generationMs === undefined) return;
    this.#generationMs =
      this.#generationMs === undefined
        ? generationMs
        : this.#generationMs + 0.1 * (generationMs - this.#generationMs);
  }

  /** Answers per millisecond; null while nothing is known. */
  perMs(slots: number): number | null {
    if (this.#generationMs === undefined || slots <= 0) return null;
    return (this.#ends + slots) / (this.#saturatedMs + Math.max(1, this.#generationMs));
  }
}
