/** Do values come from this distribution? The largest distance between the two, and how likely one so large is by chance. */
export function againstDistribution(
  values: readonly number[],
  distribution: (value: number) => number,
): { distance: number; pValue: number } {
  const sorted = values.toSorted((a, b) => a - b);
  const count = sorted.length;
  let distance = 0;
  for (const [index, value] of sorted.entries()) {
    const expected = distribution(value);
    distance = Math.max(distance, (index + 1) / count - expected, expected - index / count);
  }
  return { distance, pValue: pValueOf(distance, count) };
}

/** Do two samples come from the same distribution? */
export function betweenSamples(
  first: readonly number[],
  second: readonly number[],
): { distance: number; pValue: number } {
  const a = first.toSorted((x, y) => x - y);
  const b = second.toSorted((x, y) => x - y);
  let i = 0;
  let j = 0;
  let distance = 0;
  while (i < a.length && j < b.length) {
    const value = Math.min(a[i] ?? 0, b[j] ?? 0);
    while (i < a.length && (a[i] ?? 0) <= value) i += 1;
    while (j < b.length && (b[j] ?? 0) <= value) j += 1;
    distance = Math.max(distance, Math.abs(i / a.length - j / b.length));
  }
  return { distance, pValue: pValueOf(distance, (a.length * b.length) / (a.length + b.length)) };
}

/** Kolmogorov's series, with Stephens' correction for small samples. */
function pValueOf(distance: number, effectiveCount: number): number {
  if (!(effectiveCount > 0)) return 1;
  const root = Math.sqrt(effectiveCount);
  const lambda = (root + 0.12 + 0.11 / root) * distance;
  if (lambda < 0.2) return 1;
  let sum = 0;
  for (let term = 1; term <= 100; term++) {
    const part = (term % 2 === 1 ? 2 : -2) * Math.exp(-2 * lambda * lambda * term * term);
    sum += part;
    if (Math.abs(part) < 1e-12) break;
  }
  return Math.min(1, Math.max(0, sum));
}
