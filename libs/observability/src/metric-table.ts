import { answerRows } from './metric-rows/answers.ts';
import { gatewayRows } from './metric-rows/gateway.ts';
import { infrastructureRows } from './metric-rows/infrastructure.ts';
import { ingestRows } from './metric-rows/ingest.ts';
import { pipelineRows } from './metric-rows/pipeline.ts';
import type { LabelValues, MetricRow } from './metric-rows/row.ts';

/**
 * THE TABLE of metrics: every name, who shows it, its labels and its buckets. Docs, recording rules, alerts and
 * dashboards derive from it. Labels come from closed sets (stages, outcomes, replicas); never a tenant, a query, a
 * document or a raw path: those would grow without bound. Base units, `_seconds` and `_bytes`; counters end in
 * `_total`. The seeds' names keep their prefix `api_gateway_`.
 */
export const metricTable = {
  ...gatewayRows,
  ...pipelineRows,
  ...answerRows,
  ...ingestRows,
  ...infrastructureRows,
} as const satisfies Record<string, MetricRow>;

export type MetricTable = typeof metricTable;
export type MetricName = keyof MetricTable;
export const metricNames = Object.keys(metricTable) as MetricName[];

export type NamesOf<Kind extends MetricRow['kind']> = {
  [Name in MetricName]: MetricTable[Name]['kind'] extends Kind ? Name : never;
}[MetricName];

type ValueOf<Values> = Values extends readonly string[] ? Values[number] : string;

/** A value outside of a closed set does not compile. */
export type LabelsOf<Name extends MetricName> = [keyof MetricTable[Name]['labels']] extends [never]
  ? Record<string, never>
  : { [Label in keyof MetricTable[Name]['labels']]: ValueOf<MetricTable[Name]['labels'][Label]> };

/** Every combination of the row's labels; null when one of them is not closed. */
export function closedCombinations(labels: MetricRow['labels']): Record<string, string>[] | null {
  let combinations: Record<string, string>[] = [{}];
  for (const [label, values] of Object.entries(labels)) {
    if (!isClosed(values)) return null;
    combinations = combinations.flatMap((one) => values.map((value) => ({ ...one, [label]: value })));
  }
  return combinations;
}

export function isClosed(values: LabelValues): values is readonly string[] {
  return Array.isArray(values);
}
