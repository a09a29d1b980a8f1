import { randomBytes } from 'node:crypto';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { maskSecrets, readServiceConfig, secretValues, withTls } from '@vortex/config';
import { createContentStore } from '@vortex/documents';
import { catalogueModel, fingerprintOf } from '@vortex/embedding';
import {
  countCare,
  createLogger,
  createMetrics,
  followLevelSignal,
  openTracing,
  type Readiness,
  startProbes,
} from '@vortex/observability';
import { createInspector, createLiveView, createRedisObserver, createSubmitter } from '@vortex/queue';
import { openRegistry } from '@vortex/registry';
import { createReleaseStack } from '@vortex/runtime';
import { beginCountingEnds } from './ingest-ends.ts';
import { createProcessReader } from './process-reader.ts';
import { readPieces } from './read-pieces.ts';
import { readerLimits } from './reader-limits.ts';
import { mirrorRegistry } from './registry-gauges.ts';
import { watchSnapshots } from './snapshot-gauge.ts';
import { type RunningIngest, startIngest } from './start-ingest.ts';
import { startWebhookDeliverer } from './webhooks/deliverer.ts';

const config = readServiceConfig('ingest', { env: process.env, confDir: 'conf' });
const { name: workerName, drain_budget_ms: drainBudgetMs } = config.worker;
const log = createLogger({ service: 'ingest', workerName, ...config.log, secrets: secretValues(config) });
followLevelSignal(log);
log.info({ config: maskSecrets(config) }, 'starting with this configuration');
const metrics = createMetrics('ingest', config.metrics);
const redis = { ...withTls(config.redis), observer: createRedisObserver(metrics) };
const dataDir = resolve(config.data.dir);
const model = catalogueModel(config.embedding.model);
const parts = createReleaseStack(log);
parts.releaseOnSignals();
const tracing = await openTracing(config.tracing, { service: 'ingest', workerName: workerName, log });
parts.push('tracing', () => tracing.close());

const registry = await openRegistry({
  databaseUrl: config.registry.database_url,
  file: join(dataDir, 'registry.db'),
});
parts.push('registry', () => registry.close());
beginCountingEnds(metrics);
mirrorRegistry(metrics, registry);
if (config.data.snapshot_marker !== null) watchSnapshots(metrics, config.data.snapshot_marker);
const reader = createProcessReader({
  model: model.id,
  modelsDir: config.embedding.models_dir ?? join(dataDir, 'models'),
  // Two for quick documents and one for slow ones; each may take `parser_memory_mb`.
  processes: 3,
  limits: readerLimits(config.ingest),
});
parts.push('reader', () => reader.close());
const submitter = createSubmitter({
  ...{ redis, log },
  name: `${workerName}-${randomBytes(6).toString('hex')}`,
  caretaker: { onEvent: countCare(metrics) },
});
await submitter.start();
parts.push('submitter', () => submitter.close());
const liveView = createLiveView(redis, log);
parts.push('live view', () => liveView.close());

const jobs = createInspector(redis, log);
parts.push('jobs of questions', () => jobs.close());
const deliverer = startWebhookDeliverer({ registry, jobs, settings: config.webhooks, log, metrics });
parts.push('webhooks', () => deliverer.stop());

let ingest: RunningIngest | undefined;
const readiness = (): Readiness => {
  if (ingest === undefined)
    return { ready: false, reasons: ['the tokenizer of the embedding model is not here yet'] };
  const { ready, reasons } = ingest.readiness();
  return submitter.isReady()
    ? { ready, reasons }
    : { ready: false, reasons: [...reasons, 'the inbox is not read'] };
};
const probes = await startProbes({ ...config.http, readiness, metrics, log });
parts.push('probes', () => probes.close());

// The encoder brings the model's files; on a first start it may still be fetching them.
for (let told = false; ; told = true) {
  const missing = await reader.warmUp().then(
    () => null,
    (error: Error) => error,
  );
  if (missing === null) break;
  if (!told) log.warn({ reason: missing.message }, 'waiting for the encoder to bring the model');
  await delay(1000);
}

ingest = await startIngest({
  ...{ registry, reader, readPieces, submitter, liveView, metrics, tracing, log },
  originals: createContentStore(join(dataDir, 'originals')),
  texts: createContentStore(join(dataDir, 'texts')),
  spoolDir: join(dataDir, 'spool'),
  model: { ...model, fingerprint: fingerprintOf(model) },
  settings: config.ingest,
  runtime: { workerName, redis, drainBudgetMs },
});
parts.push(
  'stages',
  () => ingest?.stop(),
  () => ingest?.hurry(),
);
