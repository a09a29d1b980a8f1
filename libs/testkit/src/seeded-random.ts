/**
 * Numbers from 0 to 1, the same for the same seed on every machine: mulberry32, 32 bits of state, plenty for texts,
 * arrivals and choices. For tests and benches. Two rooms that may not import this keep their own: routing, where a
 * running gateway breaks ties with it, and loadtest, which imports nothing of what it measures.
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
