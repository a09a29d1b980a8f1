/** From values to places on a plot. */
export type Scale = (value: number) => number;

export function linearScale(
  [from, to]: readonly [number, number],
  [start, end]: readonly [number, number],
): Scale {
  const factor = to === from ? 0 : (end - start) / (to - from);
  return (value) => start + (value - from) * factor;
}

/** What lies below the domain is drawn at its start: a logarithm knows no zero. */
export function logScale([from, to]: readonly [number, number], range: readonly [number, number]): Scale {
  const inner = linearScale([Math.log(from), Math.log(to)], range);
  return (value) => inner(Math.log(Math.max(from, value)));
}

/** Round values from zero on that reach `most`, about so many. */
export function linearTicks(most: number, about: number): number[] {
  if (!(most > 0)) return [0, 1];
  const rough = most / about;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough) ?? 10) * power;
  return Array.from({ length: Math.ceil(most / step - 1e-9) + 1 }, (_, index) => index * step);
}

/** The same for things that are counted: there is no half of a failure. */
export function wholeTicks(most: number, about: number): number[] {
  const step = Math.max(1, Math.ceil((linearTicks(most, about)[1] ?? 1) - 1e-9));
  return Array.from({ length: Math.ceil(most / step - 1e-9) + 1 }, (_, index) => index * step);
}

/** 1, 2 and 5 of each power of ten, or the powers alone where those would crowd; even steps where no power lies within. */
export function logTicks([from, to]: readonly [number, number], most: number): number[] {
  if (to / from < 5) return evenTicks(from, to, Math.min(most, 6));
  for (const factors of [[1, 2, 5], [1, 3], [1]]) {
    const ticks: number[] = [];
    for (let power = 10 ** Math.floor(Math.log10(from)); power <= to; power *= 10) {
      for (const factor of factors) {
        const tick = Number((factor * power).toPrecision(3));
        if (tick >= from * 0.999 && tick <= to * 1.001) ticks.push(tick);
      }
    }
    if (ticks.length <= most) return ticks;
  }
  return [from, to];
}

/** A domain for a logarithmic axis that holds all values with a little air. */
export function logDomain(values: readonly number[]): [number, number] {
  let [least, most] = [Number.POSITIVE_INFINITY, 0];
  for (const value of values) {
    if (value > 0 && value < least) least = value;
    if (value > most) most = value;
  }
  if (most === 0) return [1, 1000];
  // Air in proportion: answers that all took half a second would else be a line in a quarter of the plot.
  const air = Math.min(1.15, Math.max(1.02, (most / least) ** 0.1));
  const widening = Math.max(1, Math.sqrt((least * leastRatio) / most) / air);
  return [least / air / widening, most * air * widening];
}

/** A plot of less than this shows what the clock made, not the server. */
const leastRatio = 1.25;

function evenTicks(from: number, to: number, most: number): number[] {
  const power = 10 ** Math.floor(Math.log10((to - from) / most));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((one) => (to - from) / one <= most);
  if (step === undefined) return [from, to];
  const first = Math.ceil(from / step - 1e-9);
  const count = Math.floor(to / step + 1e-9) - first + 1;
  return Array.from({ length: count }, (_, index) => Number(((first + index) * step).toPrecision(6)));
}
