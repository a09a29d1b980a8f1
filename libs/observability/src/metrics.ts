import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { type MetricName, type MetricRow, type MetricTable, metricTable } from './metric-table.ts';

type NamesOf<Kind extends MetricRow['kind']> = {
  [Name in MetricName]: MetricTable[Name]['kind'] extends Kind ? Name : never;
}[MetricName];

type LabelsOf<Name extends MetricName> = Record<MetricTable[Name]['labels'][number], string>;

/** A process's metrics. A name is created at its first use, so that a service shows only what it does. */
export interface Metrics {
  add<Name extends NamesOf<'counter'>>(name: Name, labels: LabelsOf<Name>, value?: number): void;
  set<Name extends NamesOf<'gauge'>>(name: Name, labels: LabelsOf<Name>, value: number): void;
  /** Drops the series of a gauge that no longer has an owner (a replica that went away). */
  forget<Name extends NamesOf<'gauge'>>(name: Name, labels: LabelsOf<Name>): void;
  /** Durations are observed in seconds. */
  observe<Name extends NamesOf<'histogram'>>(name: Name, labels: LabelsOf<Name>, value: number): void;
  /** Runs before each scrape, for gauges that mirror something else. */
  beforeScrape(collect: () => Promise<void> | void): void;
  render(): Promise<{ contentType: string; body: string }>;
}

export function createMetrics(service: string): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ service });
  collectDefaultMetrics({ register: registry });
  const collectors: (() => Promise<void> | void)[] = [];
  const made = new Map<MetricName, Counter | Gauge | Histogram>();

  function metric<Kind extends Counter | Gauge | Histogram>(
    name: MetricName,
    create: (row: MetricRow) => Kind,
  ): Kind {
    let existing = made.get(name);
    if (existing === undefined) {
      existing = create(metricTable[name]);
      made.set(name, existing);
    }
    return existing as Kind;
  }
  const common = (name: MetricName, row: MetricRow) => ({
    name,
    help: row.help,
    labelNames: [...row.labels],
    registers: [registry],
  });
  const gauge = (name: MetricName) => metric(name, (row) => new Gauge(common(name, row)));

  return {
    add: (name, labels, value = 1) =>
      metric(name, (row) => new Counter(common(name, row))).inc(labels, value),
    set: (name, labels, value) => gauge(name).set(labels, value),
    forget: (name, labels) => gauge(name).remove(labels),
    observe: (name, labels, value) =>
      metric(
        name,
        (row) => new Histogram({ ...common(name, row), buckets: [...(row.buckets ?? [])] }),
      ).observe(labels, value),
    beforeScrape: (collect) => {
      collectors.push(collect);
    },
    async render() {
      // A collector that fails (Redis away) must not hide the other metrics; its gauge keeps its last value.
      await Promise.allSettled(collectors.map(async (collect) => collect()));
      return { contentType: registry.contentType, body: await registry.metrics() };
    },
  };
}
