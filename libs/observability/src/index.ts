export { gatheredOutput } from './gathered-output.ts';
export { createLogger, type Logger, silentLogger } from './logger.ts';
export { createMetrics, type Metrics } from './metrics.ts';
export { type Probes, probeRoutes, type Readiness, startProbes } from './probes.ts';
