import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { ServiceConfig } from '@vortex/config';
import { createTextStore } from '@vortex/documents';
import { createMetrics, type Logger } from '@vortex/observability';
import { createInspector, createSubmitter } from '@vortex/queue';
import { openSqliteRegistry, readWebhookRules } from '@vortex/registry';
import { createApp } from './app.ts';
import { mirrorReplicaLoads } from './replica-gauge.ts';
import { createReplicaSnapshot } from './replica-snapshot.ts';
import { startServer } from './server.ts';
import { version } from './version.ts';

export interface RunningGateway {
  url: string;
  /** Readiness off, open requests finish within the drain budget, then everything is closed. Safe to call twice. */
  stop(): Promise<void>;
}

/** The gateway with all its real parts, listening. Redis may be away: it is then not ready, but alive. */
export async function startGateway(config: ServiceConfig<'gateway'>, log: Logger): Promise<RunningGateway> {
  const { redis, http, data, worker } = config;
  const metrics = createMetrics('gateway');
  // Random per start: an inbox shared with a predecessor that is still draining would lose answers to it.
  const name = `${worker.name}-${randomBytes(6).toString('hex')}`;
  const submitter = createSubmitter({ redis, name, log });
  const inspector = createInspector(redis, log);
  const registry = openSqliteRegistry({ file: join(data.dir, 'registry.db') });
  const replicas = createReplicaSnapshot({ inspector, log });
  mirrorReplicaLoads(metrics, inspector);

  let stopping: Promise<void> | undefined;
  const app = createApp({
    settings: config.gateway,
    submitter,
    inspector,
    registry,
    webhookRules: readWebhookRules(config.webhooks.allow),
    texts: createTextStore(join(data.dir, 'texts')),
    replicas,
    metrics,
    log,
    version,
    isDraining: () => stopping !== undefined,
  });

  // The document takes 100 ms to make; the first reader of /docs must not hold up everybody's questions.
  await app.request('/openapi.json');
  await submitter.start();
  const server = await startServer({ app, host: http.host, port: http.port, log });
  log.info({ url: server.url }, 'the gateway listens');

  async function stop(): Promise<void> {
    log.info({ budget_ms: worker.drain_budget_ms }, 'stopping; open requests finish');
    await server.stop(worker.drain_budget_ms);
    replicas.close();
    await submitter.close();
    inspector.close();
    await registry.close();
    log.info('stopped');
  }
  return {
    url: server.url,
    stop() {
      stopping ??= stop();
      return stopping;
    },
  };
}
