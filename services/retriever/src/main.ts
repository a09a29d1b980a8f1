import { join, resolve } from 'node:path';
import { maskSecrets, readServiceConfig } from '@vortex/config';
import { createLogger, createMetrics, startProbes } from '@vortex/observability';
import { openSqliteRegistry } from '@vortex/registry';
import { runStages } from '@vortex/runtime';
import { openVectorStore } from '@vortex/vector-store';
import { createPurge } from './purge.ts';
import { createRetrieveStage } from './retrieve-stage.ts';
import { createStoreStage } from './store-stage.ts';
import { createVisibleSearch } from './visible-search.ts';

const config = readServiceConfig('retriever', { env: process.env, confDir: 'conf' });
const log = createLogger({ service: 'retriever', workerName: config.worker.name, ...config.log });
log.info({ config: maskSecrets(config) }, 'starting with this configuration');
const metrics = createMetrics('retriever');
const dataDir = resolve(config.data.dir);

const registry = openSqliteRegistry({ file: join(dataDir, 'registry.db') });
const { qdrant_url: qdrantUrl, qdrant_api_key: apiKey, exact_below: exactBelow } = config.store;
const store = await openVectorStore(
  qdrantUrl === null
    ? { kind: 'lancedb', dir: join(dataDir, 'vectors') }
    : { kind: 'qdrant', url: qdrantUrl, apiKey },
  { exactBelow, log },
);
const visibleSearch = createVisibleSearch({ registry, store });
const purge = createPurge({ registry, store, visibleSearch, log });
purge.start(2_000);

const { top_k: topK, relevance_floor: relevanceFloor, prompt_tokens: promptTokens, slots } = config.retrieval;
const stages = await runStages({
  service: 'retriever',
  workerName: config.worker.name,
  redis: config.redis,
  log,
  metrics,
  lanes: {
    retrieve: {
      handler: createRetrieveStage({
        registry,
        visibleSearch,
        metrics,
        settings: { topK, relevanceFloor, promptTokens },
      }),
      slots,
    },
    store: { handler: createStoreStage({ registry, store, visibleSearch }), slots: 2 },
  },
  drainBudgetMs: config.worker.drain_budget_ms,
});
const probes = await startProbes({ ...config.http, readiness: () => stages.readiness(), metrics, log });

let stopping = false;
async function stop(): Promise<void> {
  if (stopping) return;
  stopping = true;
  await stages.stop();
  await purge.stop();
  await store.close();
  await registry.close();
  await probes.close();
  // A running index build of the store would keep the process for up to a minute; what it has not committed
  // is safely dropped.
  process.exit(0);
}
process.on('SIGTERM', stop);
process.on('SIGINT', stop);
