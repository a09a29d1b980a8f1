/**
 * Is one sample shifted against the other? Two-sided, by the normal approximation with ties. `superiority` is the share
 * of pairs in which the value of `second` is the larger one; 0.5 is no shift.
 */
export function mannWhitney(
  first: readonly number[],
  second: readonly number[],
): { superiority: number; pValue: number } {
  const all = [
    ...first.map((value) => ({ value, isSecond: false })),
    ...second.map((value) => ({ value, isSecond: true })),
  ].sort((a, b) => a.value - b.value);
  const count = all.length;
  let ranksOfSecond = 0;
  let ties = 0;
  for (let from = 0; from < count; ) {
    let to = from;
    while (to < count && all[to]?.value === all[from]?.value) to += 1;
    const size = to - from;
    const rank = (from + 1 + to) / 2;
    for (let place = from; place < to; place++) if (all[place]?.isSecond) ranksOfSecond += rank;
    ties += size ** 3 - size;
    from = to;
  }
  const pairs = first.length * second.length;
  if (pairs === 0) return { superiority: 0.5, pValue: 1 };
  const wins = ranksOfSecond - (second.length * (second.length + 1)) / 2;
  const variance = (pairs / 12) * (count + 1 - ties / (count * (count - 1)));
  const z = variance === 0 ? 0 : Math.max(0, Math.abs(wins - pairs / 2) - 0.5) / Math.sqrt(variance);
  return { superiority: wins / pairs, pValue: 2 * upperTail(z) };
}

/** Of the standard normal distribution (Abramowitz and Stegun 26.2.17, error below 7.5e-8). */
function upperTail(z: number): number {
  const t = 1 / (1 + 0.2316419 * z);
  const series =
    t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return (Math.exp(-(z * z) / 2) / Math.sqrt(2 * Math.PI)) * series;
}
