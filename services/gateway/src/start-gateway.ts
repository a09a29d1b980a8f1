import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createExplainStore, openCache } from '@vortex/cache';
import { isLoopback, type ServiceConfig, withTls } from '@vortex/config';
import { explainParts } from '@vortex/contracts';
import { createContentStore, incomingFolder } from '@vortex/documents';
import { catalogueModel } from '@vortex/embedding';
import { countCare, createMetrics, type Logger, noTracing, openTracing } from '@vortex/observability';
import {
  createDeadLetters,
  createInspector,
  createRedisObserver,
  createRequestLimits,
  createSubmitter,
} from '@vortex/queue';
import { openRegistry, readPepper, readWebhookRules, writeLocalKey } from '@vortex/registry';
import { assertMayListen } from './access/assert-may-listen.ts';
import { createGatekeeper } from './access/gatekeeper.ts';
import { openKeyring } from './access/keyring.ts';
import { createDoor } from './admission/door.ts';
import { createApp } from './app.ts';
import { mirrorDeadLetters } from './dead-letters/count-dead.ts';
import { createJobWatch } from './jobs/job-watch.ts';
import { listenForProbes } from './listen-for-probes.ts';
import { mirrorQueues } from './queue-gauge.ts';
import { createReplicaStates, mirrorReplicaLoads } from './replica-gauge.ts';
import { createReplicaSnapshot } from './replica-snapshot.ts';
import { startServer } from './server.ts';
import { createBrowserPolicy } from './transport/browser-policy.ts';
import { tlsFilesOf } from './transport/tls.ts';
import { startIncomingSweep } from './upload/incoming-sweep.ts';
import { uploadAllowanceBytes } from './upload/receive-upload.ts';
import { version } from './version.ts';

export interface RunningGateway {
  url: string;
  /** Readiness off, open requests finish within the drain budget, then everything is closed. Safe to call twice. */
  stop(): Promise<void>;
  /** Of a stop that is under way: what is still open is cut now. */
  hurry(): void;
}

const startPatienceMs = 2000;

/** The gateway with all its real parts, listening. Redis may be away: it is then not ready, but alive. */
export async function startGateway(config: ServiceConfig<'gateway'>, log: Logger): Promise<RunningGateway> {
  const { http, data, worker, ingest, embedding, auth } = config;
  const tls = tlsFilesOf(config.gateway);
  const registry = await openRegistry({
    databaseUrl: config.registry.database_url,
    file: join(data.dir, 'registry.db'),
  });
  const pepper = await readPepper(data.dir, auth.pepper);
  const keyring = await openKeyring({ registry, log });
  const { admin_host, admin_port, probe_host, probe_port } = config.gateway;
  for (const host of admin_port === 0 ? [http.host] : [http.host, admin_host]) {
    assertMayListen({ mode: auth.mode, host, hasKeys: keyring.hasKeys() });
  }
  await writeLocalKey(data.dir, pepper);
  const metrics = createMetrics('gateway', config.metrics);
  const redis = { ...withTls(config.redis), observer: createRedisObserver(metrics) };
  const tracing = await openTracing(config.tracing, { service: 'gateway', workerName: worker.name, log });
  // Random per start: an inbox shared with a predecessor that is still draining would lose answers to it.
  const name = `${worker.name}-${randomBytes(6).toString('hex')}`;
  const submitter = createSubmitter({ redis, name, log, caretaker: { onEvent: countCare(metrics) } });
  const inspector = createInspector(redis, log);
  const limits = createRequestLimits(redis, log);
  const deadLetters = createDeadLetters(redis, log);
  const cache = openCache(withTls(config.cache), { metrics, log });
  const explain = createExplainStore({ cache, settings: config.explain, parts: explainParts, log });
  const originalsDir = join(data.dir, 'originals');
  const incomingDir = incomingFolder(originalsDir);
  const watch = createJobWatch({ registry, inspector, log });
  const replicas = createReplicaSnapshot({ inspector, log, onRead: createReplicaStates(metrics) });
  mirrorReplicaLoads(metrics, inspector);
  mirrorQueues(metrics, inspector, registry, () => replicas.latest().replicas.map((one) => one.worker_name));
  mirrorDeadLetters(metrics, deadLetters);

  let stopping: Promise<void> | undefined;
  const app = createApp({
    settings: config.gateway,
    cache,
    answerTtlMs: config.cache.answer_ttl_ms,
    explain,
    explainQuestion: config.explain.question,
    gatekeeper: createGatekeeper({ mode: auth.mode, keyring, pepper, limits: config.limits }),
    limits,
    mostTokens: { prompt: config.retrieval.prompt_tokens, answer: config.llm.max_tokens },
    keyring,
    pepper,
    submitter,
    inspector,
    deadLetters,
    registry,
    webhookRules: readWebhookRules(config.webhooks.allow),
    auditLogDays: config.registry.audit_log_days,
    originals: createContentStore(originalsDir),
    texts: createContentStore(join(data.dir, 'texts')),
    incomingDir,
    chunking: {
      strategy: ingest.chunking_strategy,
      maxTokens: ingest.chunk_size,
      overlapTokens: ingest.chunk_overlap,
    },
    model: catalogueModel(embedding.model),
    watch,
    replicas,
    door: createDoor({ replicas }),
    metrics,
    ...(tracing !== noTracing && { tracing }),
    log,
    version,
    browsers: createBrowserPolicy({
      corsOrigins: config.gateway.cors_origins,
      hosts: config.gateway.hosts,
      isLoopback: isLoopback(http.host),
      hstsMaxAgeS: tls === null ? null : config.gateway.hsts_max_age_s,
    }),
    isDraining: () => stopping !== undefined,
  });

  // The document takes 100 ms to make; the first reader of /docs must not hold up everybody's questions.
  await app.request('/openapi.json');
  await submitter.start();
  await readyOrLate();
  const sweep = await startIncomingSweep(incomingDir, log);
  const doors = {
    ...{ app, log, ...(tls !== null && { tls }) },
    largestBodyBytes: largestBody(config.gateway),
    reusePort: config.gateway.reuse_port,
    headersTimeoutMs: config.gateway.header_timeout_ms,
    requestTimeoutMs: config.gateway.body_timeout_ms,
    maxHeaderBytes: config.gateway.max_header_bytes,
    maxUrlBytes: config.gateway.max_url_bytes,
    maxConnections: config.gateway.max_connections,
  };
  const server = await startServer({ ...doors, host: http.host, port: http.port });
  const admin =
    admin_port === 0 ? undefined : await startServer({ ...doors, host: admin_host, port: admin_port });
  const probes =
    probe_port === 0 ? undefined : await listenForProbes(app, { host: probe_host, port: probe_port });
  log.info({ url: server.url, admin: admin?.url, probes: probes?.url }, 'the gateway listens');

  /**
   * Who listens is asked, where the port is shared from the first moment on: two of 5,000 questions met a
   * gateway that had just been restarted and had no connection to Redis yet. A Redis that is away is waited
   * for in vain, and then said to be.
   */
  async function readyOrLate(): Promise<void> {
    const until = performance.now() + startPatienceMs;
    while (!submitter.isReady() && performance.now() < until) await delay(10);
    await replicas.refresh();
  }

  async function stop(): Promise<void> {
    const budgetMs = worker.drain_budget_ms;
    const stopBy = performance.now() + budgetMs;
    log.info({ budget_ms: budgetMs }, 'stopping; open requests finish');
    await server.stopAccepting(Math.min(config.gateway.drain_grace_ms, budgetMs / 2));
    // Who waits for a job is answered now, and who follows one comes back to another gateway: while this one
    // still took connections, they would have come back to it.
    await watch.close();
    const leftMs = () => Math.max(0, stopBy - performance.now());
    await Promise.all([server.stop(leftMs()), admin?.stop(leftMs())]);
    sweep.stop();
    replicas.close();
    await submitter.close();
    inspector.close();
    limits.close();
    deadLetters.close();
    explain.close();
    cache.close();
    await keyring.close();
    await registry.close();
    await probes?.close();
    await tracing.close();
    log.info('stopped');
  }
  return {
    url: server.url,
    stop() {
      stopping ??= stop();
      return stopping;
    },
    hurry() {
      server.cut();
      admin?.cut();
    },
  };
}

function largestBody(settings: ServiceConfig<'gateway'>['gateway']): number {
  const { max_body_bytes: body, max_ingest_bytes: ingest, max_upload_bytes: upload } = settings;
  return Math.max(body, ingest, upload + uploadAllowanceBytes);
}
