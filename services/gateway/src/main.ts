import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { readServiceConfig } from '@vortex/config';
import { createTextStore } from '@vortex/documents';
import { createLogger, createMetrics } from '@vortex/observability';
import { createInspector, createSubmitter } from '@vortex/queue';
import { openSqliteRegistry } from '@vortex/registry';
import { createApp } from './app.ts';
import { mirrorReplicaLoads } from './replica-gauge.ts';
import { createReplicaSnapshot } from './replica-snapshot.ts';
import { startServer } from './server.ts';
import { version } from './version.ts';

const config = readServiceConfig('gateway', { env: process.env, confDir: 'conf' });
const log = createLogger({ service: 'gateway', workerName: config.worker.name, ...config.log });
const metrics = createMetrics('gateway');
const { redis } = config;

// Random per start: an inbox shared with a predecessor that is still draining would lose answers to it.
const name = `${config.worker.name}-${randomBytes(6).toString('hex')}`;
const submitter = createSubmitter({ redis, name, log });
const inspector = createInspector(redis);
const registry = openSqliteRegistry({ file: join(config.data.dir, 'registry.db') });
const replicas = createReplicaSnapshot({ inspector, log });
mirrorReplicaLoads(metrics, inspector);

let draining = false;
const app = createApp({
  settings: config.gateway,
  submitter,
  inspector,
  registry,
  texts: createTextStore(join(config.data.dir, 'texts')),
  replicas,
  metrics,
  log,
  version,
  isDraining: () => draining,
});
await submitter.start();
await replicas.refresh();
const server = await startServer({ app, host: config.http.host, port: config.http.port, log });
log.info({ url: server.url }, 'the gateway listens');

async function stop(signal: string): Promise<void> {
  if (draining) return;
  draining = true;
  log.info({ signal, budget_ms: config.worker.drain_budget_ms }, 'stopping; open requests finish');
  await server.stop(config.worker.drain_budget_ms);
  replicas.close();
  await submitter.close();
  inspector.close();
  await registry.close();
  log.info('stopped');
}

process.once('SIGTERM', stop);
process.once('SIGINT', stop);
