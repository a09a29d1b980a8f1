import type { PrivateRedis } from '@vortex/testkit/private-redis';
import { Redis } from 'ioredis';
import { type PrivateStack, startPrivateStack } from '../bench/private-stack.ts';
import { readStatus, type ServiceStatus, type Status } from '../status.ts';
import { type FaultProxy, openFaultProxy } from './fault-proxy.ts';
import { startRedisWithUsers } from './redis-with-users.ts';
import { within } from './within.ts';

/** A whole instance as `up` starts it, with its Redis outside and behind a fault proxy. */
export interface ChaosStack {
  readonly url: string;
  readonly redis: PrivateRedis;
  readonly direct: Redis;
  readonly wire: FaultProxy;
  status(): Promise<Status>;
  /** Processes of the instance, without the supervisor; by name or worker name. */
  services(name?: string): Promise<(ServiceStatus & { pid: number })[]>;
  onceReady(): Promise<void>;
  audit(): Promise<{ clean: boolean; text: string }>;
  stop(): Promise<void>;
}

export async function openChaosStack(options: {
  redisBinary?: string;
  modelsDir: string;
}): Promise<ChaosStack> {
  const users = await startRedisWithUsers({
    ...(options.redisBinary !== undefined && { serverPath: options.redisBinary }),
    args: ['--appendonly', 'yes', '--appendfsync', 'everysec'],
  });
  const { redis } = users;
  const wire = await openFaultProxy(redis.port);
  const direct = new Redis(redis.url, { maxRetriesPerRequest: null });
  direct.on('error', () => undefined);
  const stopAround = async () => {
    direct.disconnect();
    await wire.close();
    await users.stop();
  };
  let stack: PrivateStack;
  try {
    stack = await startPrivateStack({
      modelsDir: options.modelsDir,
      withDocs: true,
      // An external Redis has one address for all services, hence one user.
      redisUrl: users.as('vortex', wire.url),
      settings: ['mock_llm.latency_ms=50'],
    });
  } catch (error) {
    await stopAround();
    throw error;
  }
  async function status(): Promise<Status> {
    const now = await readStatus(stack.dataDir);
    if (now === null) throw new Error('the instance does not run any more');
    return now;
  }
  return {
    url: stack.url,
    redis,
    direct,
    wire,
    status,
    async services(name) {
      const { services } = await status();
      return services.flatMap((service) =>
        service.pid !== null && (name === undefined || service.name === name || service.worker_name === name)
          ? [{ ...service, pid: service.pid }]
          : [],
      );
    },
    async onceReady() {
      await within(90_000, 'every service is ready', async () => (await status()).ready, 200);
    },
    audit: () => stack.audit(),
    async stop() {
      await stack.stop();
      await stopAround();
    },
  };
}
