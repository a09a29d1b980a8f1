import type { Redis } from 'ioredis';

/** What is wrong with a Redis as the home of the queue; empty when nothing is. */
export interface RedisVerdict {
  version: string;
  /** Keep a worker from being ready. */
  problems: string[];
  /** Worth a line in the log. */
  warnings: string[];
}

/** Redis 7.0 (or Valkey, which reports a compatible `redis_version`): `#!lua` flags, BLMPOP, LMOVE. */
const floor = [7, 0] as const;

export async function checkRedis(redis: Redis): Promise<RedisVerdict> {
  const info = `${await redis.info('server')}\n${await redis.info('memory')}`;
  const field = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? '';
  const version = field('valkey_version') || field('redis_version');
  const problems: string[] = [];
  const warnings: string[] = [];

  const [major = 0, minor = 0] = field('redis_version').split('.').map(Number);
  if (major < floor[0] || (major === floor[0] && minor < floor[1])) {
    problems.push(`Redis ${version} is too old; 7.0 is the floor (Valkey 7.2 and later are fine)`);
  }
  const policy = field('maxmemory_policy');
  if (policy !== '' && policy !== 'noeviction') {
    const advice = `maxmemory-policy is ${policy}: Redis may throw jobs away; set it to noeviction`;
    // Without a memory limit nothing is ever evicted.
    (field('maxmemory') === '0' ? warnings : problems).push(advice);
  }
  return { version, problems, warnings };
}
