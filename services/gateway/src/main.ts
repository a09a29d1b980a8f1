import { maskSecrets, readServiceConfig } from '@vortex/config';
import { createLogger, gatheredOutput } from '@vortex/observability';
import { startGateway } from './start-gateway.ts';

const config = readServiceConfig('gateway', { env: process.env, confDir: 'conf' });
const log = createLogger({
  service: 'gateway',
  workerName: config.worker.name,
  ...config.log,
  destination: gatheredOutput(),
});
log.info({ config: maskSecrets(config) }, 'starting with this configuration');
const gateway = await startGateway(config, log);

process.on('SIGTERM', gateway.stop);
process.on('SIGINT', gateway.stop);
