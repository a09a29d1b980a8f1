import type { TargetFigures } from '../figures-schema.ts';
import type { Reading } from '../target/metrics-text.ts';

/** What is drawn beside the latencies: gauges by the label that tells their series apart. */
const gauges: Readonly<Record<string, string | null>> = {
  rag_queue_depth: 'queue',
  rag_queue_oldest_age_seconds: 'queue',
  api_gateway_replica_load: 'replica',
  api_gateway_inflight_queries: null,
};
const cpuTime = 'process_cpu_seconds_total';
const counter = /^(api_gateway|rag)_\w+_total$/;
/** A page that is not ours may have any number of series. */
const most = { series: 60, counters: 200 } as const;

export function isWanted(name: string): boolean {
  return name in gauges || name === cpuTime || counter.test(name);
}

/**
 * The target's own metrics over a run, from what its pages said second by second. What several processes know alike (the
 * depth of a list) is taken once, as the largest; what each counts of its own is added. A counter that is smaller than
 * before belongs to a process that was started anew: what it shows came since.
 */
export function createTargetFigures(pages: readonly string[]) {
  const series = new Map<string, { name: string; label: string | null; points: Map<number, number> }>();
  const counters = new Map<string, { name: string; labels: Record<string, string>; increase: number }>();
  const last = new Map<string, { atMs: number; value: number }>();
  const readings = new Map(pages.map((page) => [page, { read: 0, missed: 0 }]));

  function plot(name: string, label: string | null, atMs: number, value: number): void {
    const key = `${name} ${label}`;
    let found = series.get(key);
    if (found === undefined) {
      if (series.size === most.series) return;
      found = { name, label, points: new Map() };
      series.set(key, found);
    }
    found.points.set(atMs, Math.max(value, found.points.get(atMs) ?? value));
  }

  /** By how much it grew since the page was read before; null: this is the first time. */
  function growth(key: string, atMs: number, value: number): { grown: number; tookMs: number } | null {
    const before = last.get(key);
    last.set(key, { atMs, value });
    if (before === undefined) return null;
    const grown = value < before.value ? value : value - before.value;
    return { grown, tookMs: atMs - before.atMs };
  }

  return {
    /** All pages of one look have the same moment. */
    read(page: string, atMs: number, found: readonly Reading[]): void {
      const seen = readings.get(page);
      if (seen !== undefined) seen.read += 1;
      for (const { name, labels, value } of found) {
        const by = gauges[name];
        if (by !== undefined) {
          plot(name, by === null ? null : (labels[by] ?? null), atMs, value);
          continue;
        }
        const { service, ...own } = labels;
        const identity = `${name} ${JSON.stringify(own)}`;
        const change = growth(`${page} ${identity}`, atMs, value);
        if (name === cpuTime) {
          const label = [service, new URL(page).host].filter(Boolean).join(' ');
          if (change !== null && change.tookMs > 0)
            plot('cpu_cores', label, atMs, (1000 * change.grown) / change.tookMs);
          continue;
        }
        const row = counters.get(identity) ?? { name, labels: own, increase: 0 };
        if (!counters.has(identity) && counters.size === most.counters) continue;
        counters.set(identity, row);
        // A series that appears in the middle of a run began at zero.
        row.increase += change?.grown ?? ((seen?.read ?? 0) > 1 ? value : 0);
      }
    },
    missed(page: string): void {
      const seen = readings.get(page);
      if (seen !== undefined) seen.missed += 1;
    },
    /** Null: no page said anything that is known here. */
    figures(zeroMs = 0): TargetFigures | null {
      if (series.size === 0 && counters.size === 0) return null;
      return {
        pages: [...readings].map(([url, { read, missed }]) => ({ url, read, missed })),
        series: [...series.values()].map(({ name, label, points }) => {
          const values = [...points.values()];
          return {
            name,
            label,
            mean: values.reduce((sum, value) => sum + value, 0) / values.length,
            max: values.reduce((largest, value) => Math.max(largest, value), 0),
            points: [...points].map(([atMs, value]) => [Math.max(0, Math.round(atMs - zeroMs)), value]),
          };
        }),
        counters: [...counters.values()]
          .filter(({ increase }) => increase > 0)
          .sort((a, b) => a.name.localeCompare(b.name) || b.increase - a.increase),
      };
    },
  };
}
