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

async function stop(): Promise<void> {
  await gateway.stop();
  process.exit(0);
}
process.on('SIGTERM', stop);
process.on('SIGINT', stop);
