import { startPrivateRedis } from '@vortex/testkit/private-redis';
import { Redis } from 'ioredis';
import type { Chain } from './chain.ts';
import { type Check, check } from './scenario.ts';
import { pause, within } from './within.ts';

/** A second Redis follows the chain's, is promoted, and hands back. */
export async function failOverAndBack(
  chain: Chain,
): Promise<{ checks: Check[]; own: Record<string, number> }> {
  const second = await startPrivateRedis({ args: chain.users.args });
  const other = new Redis(second.url, { maxRetriesPerRequest: null });
  other.on('error', () => undefined);
  try {
    await other.replicaof('127.0.0.1', chain.redis.port);
    await inSync(other);
    await pause(2_000);
    await move(chain, chain.direct, other, second.port);
    await pause(6_000);
    // The old one has followed the new one meanwhile, so that the way back is the same way.
    await inSync(chain.direct);
    await move(chain, other, chain.direct, chain.redis.port);
    await pause(2_000);
    const role = String((await chain.direct.role())[0]);
    return {
      checks: [check('the first is the primary again', role === 'master', role)],
      own: { promotions: 2 },
    };
  } finally {
    await chain.direct.replicaof('NO', 'ONE');
    for (const wire of [chain.workerWire, chain.gatewayWire]) wire.pointAt(chain.redis.port);
    other.disconnect();
    await second.stop();
  }
}

const inSync = (replica: Redis) =>
  within(20_000, 'the replica is in sync', async () => {
    return (await replica.info('replication')).includes('master_link_status:up');
  });

/**
 * As a failover goes: the old primary refuses writes while clients are still on it (READONLY, and UNBLOCKED for
 * who waits in a blocking call), then connections end and new ones lead to the new primary.
 */
async function move(chain: Chain, from: Redis, to: Redis, port: number): Promise<void> {
  await to.replicaof('NO', 'ONE');
  await from.replicaof('127.0.0.1', port);
  await pause(2_000);
  for (const wire of [chain.workerWire, chain.gatewayWire]) {
    wire.pointAt(port);
    for (const connection of wire.connections()) connection.cut();
  }
}
