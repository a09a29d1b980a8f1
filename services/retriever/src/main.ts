import { join, resolve } from 'node:path';
import { announceSettings, createExplainStore, openCache, settingsFingerprint } from '@vortex/cache';
import { maskSecrets, readServiceConfig, secretValues, withTls } from '@vortex/config';
import { explainParts } from '@vortex/contracts';
import { createContentStore } from '@vortex/documents';
import {
  createLogger,
  createMetrics,
  followLevelSignal,
  openTracing,
  type Readiness,
  startProbes,
} from '@vortex/observability';
import { openRegistry } from '@vortex/registry';
import { createReleaseStack, type RunningStages, runStages } from '@vortex/runtime';
import { openVectorStore } from '@vortex/vector-store';
import { createAuditStage } from './audit-stage.ts';
import { createChunksStage } from './chunks-stage.ts';
import { startClearingLeftovers } from './clear-leftovers.ts';
import { promptTemplate } from './prompt.ts';
import { createPurge } from './purge.ts';
import { createRetrievalCache } from './retrieval-cache.ts';
import { createRetrieveStage } from './retrieve-stage.ts';
import { createStoreStage } from './store-stage.ts';
import { createVisibleSearch } from './visible-search.ts';
import { createWriteGate } from './write-gate.ts';

const config = readServiceConfig('retriever', { env: process.env, confDir: 'conf' });
const log = createLogger({
  service: 'retriever',
  workerName: config.worker.name,
  ...config.log,
  secrets: secretValues(config),
});
followLevelSignal(log);
log.info({ config: maskSecrets(config) }, 'starting with this configuration');
const metrics = createMetrics('retriever', config.metrics);
const dataDir = resolve(config.data.dir);
const parts = createReleaseStack(log);
parts.releaseOnSignals();
const tracing = await openTracing(config.tracing, {
  service: 'retriever',
  workerName: config.worker.name,
  log,
});
parts.push('tracing', () => tracing.close());

let running: RunningStages | undefined;
const readiness = (): Readiness =>
  running?.readiness() ?? { ready: false, reasons: ['the store is being opened'] };
const probes = await startProbes({ ...config.http, readiness, metrics, log });
parts.push('probes', () => probes.close());

const registry = await openRegistry({
  databaseUrl: config.registry.database_url,
  file: join(dataDir, 'registry.db'),
});
parts.push('registry', () => registry.close());
const { qdrant_url: qdrantUrl, qdrant_api_key: apiKey, exact_below: exactBelow } = config.store;
const store = await openVectorStore(
  qdrantUrl === null
    ? { kind: 'lancedb', dir: join(dataDir, 'vectors') }
    : { kind: 'qdrant', url: qdrantUrl, apiKey },
  { exactBelow, log },
);
parts.push('vector store', () => store.close());
const visibleSearch = createVisibleSearch({ registry, store });
const gate = createWriteGate();
const contents = {
  original: createContentStore(join(dataDir, 'originals')),
  text: createContentStore(join(dataDir, 'texts')),
};
const purge = createPurge({ registry, store, visibleSearch, gate, contents, log });
purge.start(300);
parts.push('purge', () => purge.stop());
const clearing = startClearingLeftovers({ registry, contents, log });
parts.push('leftovers', () => clearing.stop());

const {
  top_k: topK,
  relevance_floor: relevanceFloor,
  prompt_tokens: promptTokens,
  mode,
  slots,
} = config.retrieval;
const settings = { topK, relevanceFloor, promptTokens, mode };
const fingerprint = settingsFingerprint({ ...settings, promptTemplate: promptTemplate() });
const cache = openCache(withTls(config.cache), { metrics, log });
parts.push('cache', () => cache.close());
const explain = createExplainStore({ cache, settings: config.explain, parts: explainParts, log });
parts.push('stories', () => explain.close());
const announced = announceSettings(cache, 'retrieve', fingerprint);
parts.push('settings in the cache', () => announced.stop());
running = await runStages({
  service: 'retriever',
  workerName: config.worker.name,
  redis: withTls(config.redis),
  log,
  metrics,
  tracing,
  explain: explain.note,
  lanes: {
    retrieve: {
      handler: createRetrieveStage({
        registry,
        store,
        retrieval: createRetrievalCache({
          ...{ visibleSearch, cache, metrics },
          ttlMs: config.cache.retrieval_ttl_ms,
        }),
        metrics,
        settings,
        fingerprint,
      }),
      slots,
    },
    chunks: { handler: createChunksStage({ store }), slots: 4 },
    // They wait for the next commit together (gather-upserts.ts).
    store: { handler: createStoreStage({ registry, store, visibleSearch, gate }), slots: 64 },
    audit: {
      handler: createAuditStage({
        ...{ registry, store },
        originals: contents.original,
        texts: contents.text,
      }),
      slots: 1,
    },
  },
  drainBudgetMs: config.worker.drain_budget_ms,
});
parts.push(
  'stages',
  () => running?.stop(),
  () => running?.hurry(),
);
