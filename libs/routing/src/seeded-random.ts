/**
 * Numbers from 0 to 1, the same for the same seed on every machine: mulberry32, 32 bits of state, plenty to break ties,
 * and for the texts, arrivals and games of benches and tests, which take it from here: the test kit does not ship, and
 * benches do. (loadtest keeps its own, for it imports nothing of what it measures.)
 */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
