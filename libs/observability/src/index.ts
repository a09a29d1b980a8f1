export { countCare, countedAs } from './count-care.ts';
export { gatheredOutput } from './gathered-output.ts';
export { followLevelSignal } from './log-level.ts';
export { createLogger, type Logger, silentLogger } from './logger.ts';
export type { QueueName } from './metric-rows/label-sets.ts';
export { type MeteredService, type MetricRow, meteredServices } from './metric-rows/row.ts';
export {
  isClosed,
  type LabelsOf,
  type MetricName,
  type MetricTable,
  metricNames,
  metricTable,
} from './metric-table.ts';
export { createMetrics, type Metrics } from './metrics.ts';
export { type Probes, probeRoutes, type Readiness, startProbes } from './probes.ts';
export { traceIdOf } from './trace-id.ts';
export {
  noTracing,
  openTracing,
  type SpanAttributes,
  type TraceCarrier,
  type TraceSpan,
  type Tracing,
  type TracingSettings,
} from './tracing.ts';
