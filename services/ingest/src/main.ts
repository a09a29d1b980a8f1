import { randomBytes } from 'node:crypto';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { maskSecrets, readServiceConfig } from '@vortex/config';
import { createTextStore } from '@vortex/documents';
import { catalogueModel, fingerprintOf } from '@vortex/embedding';
import { createLogger, createMetrics, type Readiness, startProbes } from '@vortex/observability';
import { createInspector, createSubmitter } from '@vortex/queue';
import { openSqliteRegistry } from '@vortex/registry';
import { createReleaseStack, type RunningStages, runStages } from '@vortex/runtime';
import { createProcessChunker } from './process-chunker.ts';
import { createGroupSender } from './send-groups.ts';
import { createIngestStage } from './stage.ts';
import { startWebhookDeliverer } from './webhooks/deliverer.ts';

const config = readServiceConfig('ingest', { env: process.env, confDir: 'conf' });
const { name: workerName, drain_budget_ms: drainBudgetMs } = config.worker;
const { redis } = config;
const log = createLogger({ service: 'ingest', workerName, ...config.log });
log.info({ config: maskSecrets(config) }, 'starting with this configuration');
const metrics = createMetrics('ingest');
const dataDir = resolve(config.data.dir);
const model = catalogueModel(config.embedding.model);
const parts = createReleaseStack(log);
parts.releaseOnSignals();

const registry = openSqliteRegistry({ file: join(dataDir, 'registry.db') });
parts.push('registry', () => registry.close());
const chunker = createProcessChunker({
  model: model.id,
  modelsDir: config.embedding.models_dir ?? join(dataDir, 'models'),
});
parts.push('chunker', () => chunker.close());
const submitter = createSubmitter({ redis, name: `${workerName}-${randomBytes(6).toString('hex')}`, log });
await submitter.start();
parts.push('submitter', () => submitter.close());

const jobs = createInspector(redis, log);
parts.push('live view of jobs', () => jobs.close());
const deliverer = startWebhookDeliverer({ registry, jobs, settings: config.webhooks, log, metrics });
parts.push('webhooks', () => deliverer.stop());

let stages: RunningStages | undefined;
const readiness = (): Readiness => {
  if (stages === undefined)
    return { ready: false, reasons: ['the tokenizer of the embedding model is not here yet'] };
  const { ready, reasons } = stages.readiness();
  return submitter.isReady()
    ? { ready, reasons }
    : { ready: false, reasons: [...reasons, 'the inbox is not read'] };
};
const probes = await startProbes({ ...config.http, readiness, metrics, log });
parts.push('probes', () => probes.close());

// The encoder brings the model's files; on a first start it may still be fetching them.
for (let told = false; ; told = true) {
  const missing = await chunker.warmUp().then(
    () => null,
    (error: Error) => error,
  );
  if (missing === null) break;
  if (!told) log.warn({ reason: missing.message }, 'waiting for the encoder to bring the model');
  await delay(1000);
}

const { chunk_size: chunkSize, chunk_overlap: chunkOverlap, group_size: groupSize } = config.ingest;
stages = await runStages({
  service: 'ingest',
  workerName,
  redis,
  log,
  metrics,
  lanes: {
    ingest: {
      handler: createIngestStage({
        registry,
        chunker,
        metrics,
        texts: createTextStore(join(dataDir, 'texts')),
        groups: createGroupSender({ submitter, groupSize, groupsInFlight: config.ingest.groups_in_flight }),
        model: { ...model, fingerprint: fingerprintOf(model) },
        settings: { chunkSize, chunkOverlap, groupSize },
      }),
      slots: config.ingest.slots,
    },
  },
  drainBudgetMs,
});
parts.push('stages', () => stages?.stop());
