import { join, resolve } from 'node:path';
import { createExplainStore, openCache } from '@vortex/cache';
import { maskSecrets, readServiceConfig, secretValues, withTls } from '@vortex/config';
import { explainParts } from '@vortex/contracts';
import { chooseThreads, createThreadEmbedder, ensureModel } from '@vortex/embedding';
import {
  createLogger,
  createMetrics,
  followLevelSignal,
  openTracing,
  type Readiness,
  startProbes,
} from '@vortex/observability';
import { createReleaseStack, type RunningStages, runStages } from '@vortex/runtime';
import { createEmbedStage } from './embed-stage.ts';
import { createEmbeddingCache } from './embedding-cache.ts';
import { createEncodeStage } from './encode-stage.ts';

const config = readServiceConfig('encoder', { env: process.env, confDir: 'conf' });
const { name: workerName, drain_budget_ms: drainBudgetMs } = config.worker;
const log = createLogger({ service: 'encoder', workerName, ...config.log, secrets: secretValues(config) });
followLevelSignal(log);
log.info({ config: maskSecrets(config) }, 'starting with this configuration');
const metrics = createMetrics('encoder', config.metrics);
const parts = createReleaseStack(log);
parts.releaseOnSignals();
const tracing = await openTracing(config.tracing, { service: 'encoder', workerName: workerName, log });
parts.push('tracing', () => tracing.close());

let running: RunningStages | undefined;
const readiness = (): Readiness => {
  if (running === undefined) return { ready: false, reasons: ['the model is being loaded'] };
  const { ready, reasons } = running.readiness();
  if (embedder.load().threads > 0) return { ready, reasons };
  return { ready: false, reasons: [...reasons, 'no inference thread is alive'] };
};
const probes = await startProbes({ ...config.http, readiness, metrics, log });
parts.push('probes', () => probes.close());

const files = await ensureModel({
  model: config.embedding.model,
  modelsDir: config.embedding.models_dir ?? join(resolve(config.data.dir), 'models'),
  hfEndpoint: config.embedding.hf_endpoint,
}).catch((error: unknown) => {
  log.fatal(error instanceof Error ? error.message : String(error));
  return process.exit(1);
});
const asked = config.embedding.threads;
const choice = asked > 0 ? { threads: asked, intraOpThreads: 1 } : await chooseThreads({ files, log });
const embedder = await createThreadEmbedder({ files, ...choice, log });
parts.push('inference threads', () => embedder.close());

const cache = openCache(withTls(config.cache), { metrics, log });
parts.push('cache', () => cache.close());
const explain = createExplainStore({ cache, settings: config.explain, parts: explainParts, log });
parts.push('stories', () => explain.close());
const embeddings = createEmbeddingCache({
  ...{ embedder, cache, metrics },
  ttlMs: config.cache.embedding_ttl_ms,
});
const model = embedder.model.fingerprint;

running = await runStages({
  service: 'encoder',
  workerName,
  redis: withTls(config.redis),
  log,
  metrics,
  tracing,
  explain: explain.note,
  lanes: {
    // A thread holds three questions; some more are on their way from and to Redis.
    encode: { handler: createEncodeStage({ embeddings, model, metrics }), slots: 4 * choice.threads + 2 },
    // Groups of one chunk each, of small documents: two left the threads idle while Redis was asked for the next.
    embed: { handler: createEmbedStage({ embedder, metrics }), slots: 8 },
  },
  drainBudgetMs,
});
parts.push(
  'stages',
  () => running?.stop(),
  () => running?.hurry(),
);
log.info({ model, ...choice, source: files.source }, 'encoder consumes');
