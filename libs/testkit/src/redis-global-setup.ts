import type { TestProject } from 'vitest/node';
import { startPrivateRedis } from './private-redis.ts';

declare module 'vitest' {
  interface ProvidedContext {
    redisUrl: string;
  }
}

/** One Redis for all files of the `redis` project; each takes a database of its own (redis.ts). */
export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const redis = await startPrivateRedis();
  project.provide('redisUrl', redis.url);
  return () => redis.stop();
}
