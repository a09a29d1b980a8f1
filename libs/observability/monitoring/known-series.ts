import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { parse } from 'yaml';
import type { MetricRow } from '../src/metric-rows/row.ts';
import { isClosed, metricNames, metricTable } from '../src/metric-table.ts';

/** A series that Prometheus can have, with its labels; a list where their values are a closed set. */
export type KnownSeries = ReadonlyMap<string, Readonly<Record<string, readonly string[] | null>>>;

/** Given by the scrape, whatever the metric. */
const targetLabels = { job: null, instance: null } as const;

/** What we ask the Redis exporter for (1.45 and later have all of these). */
const redisSeries: Record<string, readonly string[]> = {
  ...Object.fromEntries(
    [
      ...['redis_up', 'redis_uptime_in_seconds', 'redis_connected_clients', 'redis_blocked_clients'],
      ...['redis_memory_used_bytes', 'redis_memory_max_bytes', 'redis_total_system_memory_bytes'],
      ...['redis_mem_fragmentation_ratio', 'redis_commands_processed_total', 'redis_evicted_keys_total'],
      ...['redis_expired_keys_total', 'redis_keyspace_hits_total', 'redis_keyspace_misses_total'],
      ...['redis_net_input_bytes_total', 'redis_net_output_bytes_total', 'redis_aof_enabled'],
      ...['redis_aof_current_size_bytes', 'redis_aof_last_write_status', 'redis_aof_last_bgrewrite_status'],
      ...['redis_rdb_last_bgsave_status', 'redis_rdb_last_save_timestamp_seconds'],
      ...['redis_cpu_sys_seconds_total', 'redis_cpu_user_seconds_total', 'redis_rejected_connections_total'],
    ].map((name) => [name, []]),
  ),
  redis_key_size: ['db', 'key'],
};

/** What Prometheus itself writes. */
const ownSeries: Record<string, readonly string[]> = {
  up: [],
  scrape_duration_seconds: [],
  ALERTS: ['alertname', 'alertstate', 'severity', 'owner', 'queue', 'replica'],
};

const rulesFolder = join(import.meta.dirname, '../../../deploy/prometheus');

/** The metric table, Node's default metrics, Redis, Prometheus, and what the recording rules make of them. */
export function knownSeries(): KnownSeries {
  const known = new Map<string, Record<string, readonly string[] | null>>();
  for (const name of metricNames) {
    const row: MetricRow = metricTable[name];
    const labels = Object.fromEntries(
      Object.entries(row.labels).map(([label, values]) => [label, isClosed(values) ? values : null]),
    );
    const full = { ...targetLabels, service: null, ...labels };
    if (row.kind !== 'histogram') known.set(name, full);
    else {
      known.set(`${name}_bucket`, { ...full, le: [...(row.buckets ?? []).map(String), '+Inf'] });
      for (const part of ['sum', 'count']) known.set(`${name}_${part}`, full);
    }
  }
  for (const [name, labels] of nodeSeries()) known.set(name, open([...labels, 'service']));
  for (const [name, labels] of Object.entries({ ...redisSeries, ...ownSeries }))
    known.set(name, open(labels));
  for (const name of recordedNames()) known.set(name, open(recordedLabels));
  return known;
}

/** Recording rules keep what they group by, and those are few. */
const recordedLabels = ['outcome', 'stage', 'queue'];

export interface RuleFile {
  groups: { name: string; rules: { record?: string; alert?: string; expr: string }[] }[];
}

export function ruleFiles(): { file: string; content: RuleFile }[] {
  return readdirSync(rulesFolder)
    .filter((file) => file.endsWith('.yml'))
    .map((file) => ({ file, content: parse(readFileSync(join(rulesFolder, file), 'utf8')) as RuleFile }));
}

function recordedNames(): string[] {
  return ruleFiles().flatMap(({ content }) =>
    content.groups.flatMap(({ rules }) =>
      rules.flatMap(({ record }) => (record === undefined ? [] : [record])),
    ),
  );
}

/** `process_*` and `nodejs_*`, asked of who makes them. */
function nodeSeries(): [name: string, labels: string[]][] {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return registry.getMetricsAsArray().flatMap((metric): [string, string[]][] => {
    const labels = 'labelNames' in metric ? [...(metric.labelNames as string[])] : [];
    if (!('buckets' in metric)) return [[metric.name, labels]];
    return ['bucket', 'sum', 'count'].map((part) => [`${metric.name}_${part}`, [...labels, 'le']]);
  });
}

function open(labels: readonly string[]): Record<string, readonly string[] | null> {
  return { ...targetLabels, ...Object.fromEntries(labels.map((label) => [label, null])) };
}
