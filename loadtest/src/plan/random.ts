/**
 * Numbers from 0 to 1, the same for the same seed (mulberry32). Our own: this room imports nothing of what it measures,
 * and a plan stays the same whatever becomes of the one in libs/routing.
 */
export type Random = () => number;

function createRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** A stream of its own for each purpose, so that a change in one leaves the others as they were. */
export function randomFor(seed: number, purpose: string): Random {
  let mixed = seed >>> 0;
  for (const character of purpose) mixed = Math.imul(mixed ^ character.charCodeAt(0), 0x01000193) >>> 0;
  return createRandom(mixed);
}

/** Mean 1. Of 1 − u: u may be 0, and the logarithm of 0 is no waiting time. */
export function exponential(random: Random): number {
  return -Math.log(1 - random());
}
