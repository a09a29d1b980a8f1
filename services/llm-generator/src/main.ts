import { announceSettings, createExplainStore, openCache, settingsFingerprint } from '@vortex/cache';
import { maskSecrets, readServiceConfig, secretValues, withTls } from '@vortex/config';
import { explainParts } from '@vortex/contracts';
import {
  createLogger,
  createMetrics,
  followLevelSignal,
  openTracing,
  type Readiness,
  startProbes,
} from '@vortex/observability';
import { createTokenCharges } from '@vortex/queue';
import { createReleaseStack, createReplicaHealth, type RunningStages, runStages } from '@vortex/runtime';
import { createModelClient, slotsOf } from './backend.ts';
import { createGenerateStage } from './stage.ts';

const config = readServiceConfig('llm-generator', { env: process.env, confDir: 'conf' });
const { name: workerName, drain_budget_ms: drainBudgetMs } = config.worker;
const log = createLogger({
  service: 'llm-generator',
  workerName,
  ...config.log,
  secrets: secretValues(config),
});
followLevelSignal(log);
log.info({ config: maskSecrets(config) }, 'starting with this configuration');
const metrics = createMetrics('llm-generator', config.metrics);
const parts = createReleaseStack(log);
parts.releaseOnSignals();
const tracing = await openTracing(config.tracing, { service: 'llm-generator', workerName: workerName, log });
parts.push('tracing', () => tracing.close());
const model = createModelClient(config.llm);
parts.push('model client', () => model.close());
const slots = slotsOf(config.llm);
const health = createReplicaHealth({ workerName, slots, leastMs: config.llm.late_after_ms });

// The address comes first: it names this replica in its leases and in every answer.
let running: RunningStages | undefined;
const readiness = (): Readiness => running?.readiness() ?? { ready: false, reasons: ['starting'] };
const probes = await startProbes({ ...config.http, readiness, metrics, log });
parts.push('probes', () => probes.close());
const replicaUrl = config.http.url ?? probes.url;

const { max_tokens: maxTokens, temperature } = config.llm;
const { provider, model: modelName } = model;
// Without the server's address: each replica has its own, and they are one model to who asks.
const fingerprint = settingsFingerprint({ provider, modelName, maxTokens, temperature });
const cache = openCache(withTls(config.cache), { metrics, log });
parts.push('cache', () => cache.close());
const explain = createExplainStore({ cache, settings: config.explain, parts: explainParts, log });
parts.push('stories', () => explain.close());
const announced = announceSettings(cache, 'generate', fingerprint);
parts.push('settings in the cache', () => announced.stop());
const redis = withTls(config.redis);
const charges = createTokenCharges(redis, log);
parts.push('charges', () => charges.close());
running = await runStages({
  service: 'llm-generator',
  workerName,
  redis,
  log,
  metrics,
  tracing,
  explain: explain.note,
  lanes: {
    generate: {
      handler: createGenerateStage({
        model,
        workerName,
        replicaUrl,
        maxTokens,
        temperature,
        fingerprint,
        metrics,
        charges,
        health,
      }),
      slots,
    },
  },
  replica: { url: replicaUrl, slots, health },
  drainBudgetMs,
});
parts.push(
  'stages',
  () => running?.stop(),
  () => running?.hurry(),
);
log.info({ replica: replicaUrl, provider: model.provider, model: model.model, slots }, 'generator consumes');
