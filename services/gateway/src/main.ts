import { keepPrivate, maskSecrets, readServiceConfig, secretValues } from '@vortex/config';
import { createLogger, followLevelSignal, gatheredOutput } from '@vortex/observability';
import { StartRefused } from './access/assert-may-listen.ts';
import { startGateway } from './start-gateway.ts';

const config = readServiceConfig('gateway', { env: process.env, confDir: 'conf' });
keepPrivate(config.data.dir);
const log = createLogger({
  service: 'gateway',
  workerName: config.worker.name,
  ...config.log,
  secrets: secretValues(config),
  destination: gatheredOutput(),
});
followLevelSignal(log);
log.info({ config: maskSecrets(config) }, 'starting with this configuration');
const gateway = await startGateway(config, log).catch((error: unknown) => {
  if (!(error instanceof StartRefused)) throw error;
  log.fatal(error.message);
  process.exit(78);
});

/** Once: open requests finish. Twice: they are cut, and their jobs cancelled. Three times: the end, wherever it is. */
let signals = 0;
async function stop(): Promise<void> {
  signals += 1;
  if (signals === 2) gateway.hurry();
  if (signals === 3) process.exit(1);
  if (signals > 1) return;
  await gateway.stop();
  process.exit(0);
}
process.on('SIGTERM', stop);
process.on('SIGINT', stop);
