import { setTimeout as delay } from 'node:timers/promises';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { type MetricRow, meteredServices } from './metric-rows/row.ts';
import {
  closedCombinations,
  type LabelsOf,
  type MetricName,
  metricNames,
  metricTable,
  type NamesOf,
} from './metric-table.ts';
import { processVersion } from './process-version.ts';

/**
 * A process's metrics. Counters of closed labels stand at 0 from the first scrape on, or an alert on their increase
 * would miss the first event. What is not known yet (gauges, observations) is absent, not 0.
 */
export interface Metrics {
  add<Name extends NamesOf<'counter'>>(name: Name, labels: LabelsOf<Name>, value?: number): void;
  set<Name extends NamesOf<'gauge'>>(name: Name, labels: LabelsOf<Name>, value: number): void;
  /** Drops the series of a gauge that no longer has an owner (a replica that went away). */
  forget<Name extends NamesOf<'gauge'>>(name: Name, labels: LabelsOf<Name>): void;
  /** Durations are observed in seconds. `traceId`: shown as the bucket's exemplar, where the row has them. */
  observe<Name extends NamesOf<'histogram'>>(
    name: Name,
    labels: LabelsOf<Name>,
    value: number,
    traceId?: string,
  ): void;
  /** Runs before each scrape, for gauges that mirror something else. */
  beforeScrape(collect: () => Promise<void> | void): void;
  /** `accept`: the header of who asks; OpenMetrics, with exemplars, only for who can read it. */
  render(accept?: string): Promise<{ contentType: string; body: string }>;
}

/** More combinations than this are not worth their place in every scrape; the owner of such a row begins what it may count. */
const mostZeros = 48;

type Made = Counter | Gauge | Histogram;

/** Longer than a command of Redis may take (0.8 s), shorter than a scrape (10 s). */
const defaultCollectMs = 2000;

export function createMetrics(
  service: string,
  options: { enabled: boolean; collectMs?: number } = { enabled: true },
): Metrics {
  if (!options.enabled) return noMetrics;
  const { collectMs = defaultCollectMs } = options;
  const plain = new Registry();
  const open = new Registry<typeof Registry.OPENMETRICS_CONTENT_TYPE>();
  open.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
  for (const registry of [plain, open]) registry.setDefaultLabels({ service });
  collectDefaultMetrics({ register: plain });
  for (const metric of plain.getMetricsAsArray()) open.registerMetric(metric as never);
  const collectors: (() => Promise<void> | void)[] = [];
  const made = new Map<MetricName, Made>();
  let rendering: Promise<unknown> = Promise.resolve();

  function metric<Kind extends Made>(name: MetricName, create: (row: MetricRow) => Kind): Kind {
    let existing = made.get(name);
    if (existing === undefined) {
      existing = create(metricTable[name]);
      // Only a registry of OpenMetrics takes one with exemplars at its making; the other does not show them.
      plain.registerMetric(existing as never);
      made.set(name, existing);
    }
    return existing as Kind;
  }
  const common = (name: MetricName, row: MetricRow) => ({
    name,
    help: row.help,
    labelNames: Object.keys(row.labels),
    registers: [open],
  });
  const counter = (name: MetricName) => metric(name, (row) => new Counter(common(name, row)));
  const gauge = (name: MetricName) => metric(name, (row) => new Gauge(common(name, row)));
  const histogram = (name: MetricName) =>
    metric(
      name,
      (row) =>
        new Histogram({
          ...common(name, row),
          buckets: [...(row.buckets ?? [])],
          enableExemplars: row.exemplars === true,
        }),
    );

  function begin(): void {
    for (const name of metricNames) {
      const row: MetricRow = metricTable[name];
      if (!row.services.some((one) => one === service)) continue;
      if (row.kind === 'histogram') histogram(name);
      if (row.kind !== 'counter') continue;
      const combinations = closedCombinations(row.labels);
      if (combinations === null || combinations.length > mostZeros) counter(name);
      else for (const labels of combinations) counter(name).inc(labels, 0);
    }
    if (meteredServices.some((one) => one === service))
      gauge('rag_build_info').set({ version: processVersion, node: process.versions.node }, 1);
  }
  begin();

  async function renderFrom(registry: typeof plain | typeof open): Promise<string> {
    // Collectors that fail or hang (Redis away, a database that does not answer) must not hide the other metrics, nor
    // keep the next scrape waiting behind this one; their gauges keep their last value.
    await Promise.race([
      Promise.allSettled(collectors.map(async (collect) => collect())),
      delay(collectMs, undefined, { ref: false }),
    ]);
    const names = registry.getMetricsAsArray().map((one) => [one, one.name] as const);
    try {
      return await registry.metrics();
    } finally {
      // In OpenMetrics the client takes `_total` off a counter's name, and would leave it off in the other format.
      for (const [one, name] of names) one.name = name;
    }
  }

  return {
    add: (name, labels, value = 1) => counter(name).inc(labels as Record<string, string>, value),
    set: (name, labels, value) => gauge(name).set(labels as Record<string, string>, value),
    forget: (name, labels) => gauge(name).remove(labels as Record<string, string>),
    observe(name, labels, value, traceId) {
      const row: MetricRow = metricTable[name];
      if (row.exemplars !== true) histogram(name).observe(labels as Record<string, string>, value);
      else
        histogram(name).observe({
          labels: labels as Record<string, string>,
          value,
          exemplarLabels: traceId === undefined ? noExemplar : { trace_id: traceId },
        });
    },
    beforeScrape: (collect) => {
      collectors.push(collect);
    },
    async render(accept = '') {
      const registry = accept.includes('application/openmetrics-text') ? open : plain;
      // One at a time, because of the names.
      const text = rendering.then(() => renderFrom(registry));
      rendering = text.catch(() => undefined);
      return { contentType: registry.contentType, body: await text };
    },
  };
}

const noExemplar = {};

const noMetrics: Metrics = {
  add: () => {},
  set: () => {},
  forget: () => {},
  observe: () => {},
  beforeScrape: () => {},
  render: async () => ({ contentType: Registry.PROMETHEUS_CONTENT_TYPE, body: '' }),
};
