import { maskSecrets, readServiceConfig, secretValues } from '@vortex/config';
import {
  createLogger,
  createMetrics,
  followLevelSignal,
  probeRoutes,
  startProbes,
} from '@vortex/observability';
import { createMockLlm } from './app.ts';
import { type Listener, listen } from './listeners.ts';

const config = readServiceConfig('mock-llm', { env: process.env, confDir: 'conf' });
const log = createLogger({
  service: 'mock-llm',
  workerName: config.worker.name,
  ...config.log,
  secrets: secretValues(config),
});
followLevelSignal(log);
log.info({ config: maskSecrets(config) }, 'starting with this configuration');
const metrics = createMetrics('mock-llm');

const { ports, latency_ms, tokens_per_second, model } = config.mock_llm;
const listeners: Listener[] = [];
const readiness = () => {
  const missing = ports.length - listeners.length;
  return { ready: missing === 0, reasons: missing === 0 ? [] : [`${missing} listeners are not open yet`] };
};
const probes = await startProbes({ ...config.http, readiness, metrics, log });

for (const port of ports) {
  const { app } = createMockLlm({
    model,
    law: { latencyMs: latency_ms, tokensPerSecond: tokens_per_second },
    probes: probeRoutes({ readiness, metrics }),
  });
  const listener = await listen(app, config.http.host, port);
  listeners.push(listener);
  log.info({ url: listener.url, model, latency_ms, tokens_per_second }, 'model listens');
}

/** Generations under way finish within the budget; a second signal cuts them. */
const hurry = new AbortController();
let stopping = false;
async function stop(): Promise<void> {
  if (stopping) return hurry.abort();
  stopping = true;
  await Promise.all(listeners.map((opened) => opened.close(config.worker.drain_budget_ms, hurry.signal)));
  await probes.close();
  process.exit(0);
}
process.on('SIGTERM', stop);
process.on('SIGINT', stop);
