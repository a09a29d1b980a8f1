export { createLogger, type Logger, type LoggerOptions, silentLogger } from './logger.ts';
export { type MetricName, type MetricRow, metricTable } from './metric-table.ts';
export { createMetrics, type Metrics } from './metrics.ts';
export { type Probes, probeRoutes, type Readiness, startProbes } from './probes.ts';
