/** One series of a `/metrics` page at one moment. */
export interface Sample {
  name: string;
  labels: Readonly<Record<string, string>>;
  value: number;
}

/** By the series as the page writes it, name and labels, which is the same from one reading to the next. */
export type Samples = ReadonlyMap<string, Sample>;

// A brace may stand in a label's value, and an exemplar has braces too.
const line = /^([a-zA-Z_:][\w:]*)(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})? (\S+)/;
const label = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

/** Reads the Prometheus text format (and OpenMetrics, whose exemplars stand behind the value), wanted names only. */
export function readMetrics(page: string, isWanted: (name: string) => boolean): Samples {
  const samples = new Map<string, Sample>();
  for (const text of page.split('\n')) {
    const [, name = '', labelText = '', valueText = ''] = line.exec(text) ?? [];
    if (name === '' || !isWanted(name)) continue;
    const labels = Object.fromEntries(
      [...labelText.matchAll(label)].map(([, key = '', value = '']) => [key, unescaped(value)]),
    );
    samples.set(`${name}{${labelText}}`, { name, labels, value: Number(valueText) });
  }
  return samples;
}

function unescaped(value: string): string {
  return value.replaceAll(/\\(.)/g, (_, letter: string) => (letter === 'n' ? '\n' : letter));
}

/**
 * How much the counters of one process grew. One that is smaller than before was started anew: what it shows
 * is what came since. A series that was not there began at zero.
 */
export function growth(before: Samples, after: Samples): Sample[] {
  return [...after].map(([series, sample]) => {
    const was = before.get(series)?.value ?? 0;
    return { ...sample, value: sample.value < was ? sample.value : sample.value - was };
  });
}

/**
 * A quantile of what a histogram's `_bucket` series grew by, interpolated inside its bucket; null when
 * nothing was observed. What lies beyond the last edge is said to be at it.
 */
export function quantile(buckets: readonly Sample[], share: number): number | null {
  const counts = new Map<number, number>();
  for (const { labels, value } of buckets) {
    const edge = labels.le === '+Inf' ? Number.POSITIVE_INFINITY : Number(labels.le);
    counts.set(edge, (counts.get(edge) ?? 0) + value);
  }
  const edges = [...counts].sort(([a], [b]) => a - b);
  const total = edges.at(-1)?.[1] ?? 0;
  if (total <= 0) return null;
  const rank = share * total;
  let [lower, below] = [0, 0];
  for (const [edge, count] of edges) {
    if (count >= rank) {
      if (edge === Number.POSITIVE_INFINITY) return lower;
      return count === below ? edge : lower + ((edge - lower) * (rank - below)) / (count - below);
    }
    [lower, below] = [edge, count];
  }
  return lower;
}
